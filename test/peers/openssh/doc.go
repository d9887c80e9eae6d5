// Package openssh holds the gateway's SSH server against the programs with which
// operators and appliances come: ssh, scp, sftp and rsync as Debian has them.
package openssh
