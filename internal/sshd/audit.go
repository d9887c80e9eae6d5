package sshd

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"

	"waybill/internal/safetext"
)

// maxLogged bounds a command in cli_logs, in columns.
const maxLogged = 512

// Numbers that stand where appliances have process ids.
const (
	lowestPID  = 1000
	highestPID = 99999
)

// firstPID is where the numbers begin: not where they began before the last
// restart.
func firstPID() uint32 { return lowestPID + rand.Uint32N(highestPID-lowestPID+1) }

func (s *Server) nextPID() uint32 {
	return lowestPID + s.pid.Add(1)%(highestPID-lowestPID+1)
}

// audit writes the lines of one login to cli_logs, in the form that appliances
// have, one login for each command.
type audit struct {
	log  *slog.Logger
	pid  uint32
	user string
	from netip.Addr
	on   netip.Addr
}

func (c *conn) audit() *audit {
	return &audit{log: c.s.CLILog, pid: c.s.nextPID(), user: c.s.user(), from: c.from, on: c.on}
}

func (a *audit) line(format string, args ...any) *audit {
	if a.log != nil {
		text := fmt.Sprintf("PID %d: User %s ", a.pid, a.user) + fmt.Sprintf(format, args...)
		a.log.Log(context.Background(), slog.LevelInfo, text)
	}
	return a
}

func (a *audit) login() *audit { return a.line("login from %s on %s", a.from, a.on) }

func (a *audit) executed(command string) *audit {
	return a.line("executed batch command: '%s'", safetext.Of(command).Short(maxLogged))
}

// refused is Waybill's own: what was asked for and not done is not said to have
// been executed.
func (a *audit) refused(command, reason string) *audit {
	return a.line("was refused batch command: '%s' (%s)", safetext.Of(command).Short(maxLogged), safetext.Of(reason).Short(maxLogged))
}

func (a *audit) logout() *audit {
	return a.line("logged out of Command Line Interface using SSH connection.")
}
