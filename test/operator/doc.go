// Package operator tries the operator's documents word for word: docs/gateway.md
// and docs/manager.md, on hosts of their own, each with a network, a name, a
// process table and a file system that is thrown away.
//
// A fenced block says behind its language where it is for; a reader does not
// see that:
//
//	```sh mx-a mx-b           run on these hosts, by root, one after the other
//	```sh mgr until           run until the output is the one that follows
//	```yaml mx-a /etc/x.yaml  the content of a file there
//	```text                   what the block above printed, at least these lines in
//	                          this order; "..." stands for anything, and numbers,
//	                          keys and tokens are not compared
//
// A block without a host is for reading. The hosts have no systemd: systemctl,
// journalctl and sudo are small stand-ins, which start what the unit says as the
// user that it says. Windows last two seconds there instead of three minutes.
package operator
