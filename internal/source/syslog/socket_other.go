//go:build !linux

package syslog

import "net"

func kernelDrops(*net.UDPConn) (int64, bool) { return 0, false }
func bufferOf(*net.UDPConn) int              { return 0 }
func isTemporary(error) bool                 { return false }
func hint(error) string                      { return "" }
