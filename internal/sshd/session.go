package sshd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safetext"
)

// goodbye is how long a peer may take to close a channel that we have closed.
const goodbye = 30 * time.Second

// session is a channel of kind "session": one command, or one subsystem, with a
// login of its own in cli_logs.
type session struct {
	*conn
	ch  ssh.Channel
	log *audit
	// hangUp: the connection ends with this session. Written by its work.
	hangUp bool
}

// run serves the requests of the channel until the peer has closed it. A peer
// that does not ask for anything in time, or does not close what is over, loses
// the connection: it would hold memory for nothing.
func (s *session) run(reqs <-chan *ssh.Request) {
	var done chan struct{}
	defer func() {
		if done != nil {
			<-done
		}
	}()
	patience := time.NewTimer(s.s.limits.Handshake)
	defer patience.Stop()
	for n := 0; ; {
		var ended <-chan struct{} = done
		select {
		case req, ok := <-reqs:
			if !ok {
				return
			}
			if n++; n > maxBefore {
				s.refuse(byRequests)
				s.sc.Close()
				return
			}
			work := s.request(req, done != nil)
			if work == nil {
				continue
			}
			patience.Stop()
			done = make(chan struct{})
			finished := done
			go func() {
				defer close(finished)
				s.work(work)
			}()
		case <-ended:
			// Said once; from here on only the peer's close is waited for.
			done = nil
			patience.Reset(goodbye)
			s.await(reqs, patience.C)
			if s.hangUp {
				s.sc.Close()
			}
			return
		case <-patience.C:
			s.refuse(byStall)
			s.sc.Close()
			return
		}
	}
}

// await waits for the peer to close the channel.
func (s *session) await(reqs <-chan *ssh.Request, late <-chan time.Time) {
	for n := 0; ; n++ {
		select {
		case req, ok := <-reqs:
			if !ok {
				return
			}
			if req.WantReply && n < maxBefore {
				_ = req.Reply(false, nil) // the channel is closed on this side
			}
		case <-late:
			s.refuse(byStall)
			s.sc.Close()
			return
		}
	}
}

// work does what a session was opened for and returns its exit status.
func (s *session) work(f func() uint32) {
	defer s.ch.Close()
	s.log = s.audit().login()
	defer s.log.logout()
	status := s.guarded(f)
	// The peer may be gone; there is nobody else to tell.
	_, _ = s.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

// guarded runs f; a panic is a failure of this command.
func (s *session) guarded(f func() uint32) (status uint32) {
	status = exitFailed
	defer s.s.recovered()
	return f()
}

// request answers a request on the channel. The first that asks for something
// to be run returns it.
func (s *session) request(req *ssh.Request, running bool) func() uint32 {
	var work func() uint32
	if !running {
		switch text, ok := payloadString(req.Payload); {
		case req.Type == "exec" && ok:
			work = func() uint32 { return s.exec(text) }
		case req.Type == "subsystem" && ok && text == "sftp":
			work = s.sftp
		case req.Type == "shell" && len(req.Payload) == 0:
			work = s.shell
		}
	}
	switch {
	case work != nil:
	case req.Type == "pty-req":
		s.refuse(byPTY)
	case req.Type == "env":
		s.s.books.refuse(byEnv) // stock clients ask by habit: it is no news
	case strings.HasPrefix(req.Type, "auth-agent-req"):
		s.refuse(byAgent)
	case req.Type == "subsystem":
		s.refuse(bySubsystem)
	default:
		s.refuse(byRequest)
	}
	if req.WantReply {
		if req.Reply(work != nil, nil) != nil {
			return nil
		}
	}
	return work
}

func (s *session) shell() uint32 {
	s.refuse(byShell)
	s.log.refused("", "shell")
	return s.fail(exitFailed, "no shell here; "+offered)
}

// fail tells the person at the other end and returns the status.
func (s *session) fail(status uint32, reason string) uint32 {
	_, _ = fmt.Fprintf(s.timed(s.ch.Stderr()), "waybill: %s\n", safetext.Of(reason))
	return status
}

// exec runs a command of the closed set.
func (s *session) exec(text string) uint32 {
	c, err := Parse(text)
	var no *Refusal
	if errors.As(err, &no) {
		s.refuse(byCommand)
		s.log.refused(text, no.Reason)
		if no.SCP {
			return s.failCopy(no.Status, no.Reason)
		}
		return s.fail(no.Status, no.Reason)
	}
	s.s.books.command()
	if c.Verb == Enrol {
		return s.enrol(c)
	}
	var v Visit
	if c.Verb == Hello {
		v, err = s.hello(c.Name)
	} else {
		v, err = s.enter()
	}
	if err != nil {
		s.refuse(byVisit)
		return s.refused(text, c, err)
	}
	switch c.Verb {
	case Copy:
		return s.copy(text, c, v)
	case List:
		err = s.list(v)
	case Remove:
		err = v.Acknowledge(c.File)
	case Refetch:
		err = v.Refetch(c.File)
	case Hello:
		err = s.greet()
	case Evidence:
		err = s.evidence(c, v)
	}
	if err != nil {
		s.refuse(byReceipt)
		return s.refused(text, c, err)
	}
	s.log.executed(text)
	return 0
}

// refused ends a command that was understood and not carried out.
func (s *session) refused(text string, c Command, err error) uint32 {
	words := s.explain(err)
	s.log.refused(text, words)
	if c.File != "" {
		words = Directory + "/" + c.File + ": " + words
	}
	s.hangUp = errors.Is(err, errRevoked)
	if c.Verb == Copy {
		return s.failCopy(exitFailed, words)
	}
	return s.fail(exitFailed, words)
}

// noSuchFile is what every collector understands.
const noSuchFile = "No such file or directory"

// explain turns an error into words for the collector. What he need not know
// goes to the log.
func (s *session) explain(err error) string {
	var words string
	var known bool
	if s.s.Explain != nil {
		words, known = s.s.Explain(err)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && known: // and why
		return noSuchFile + " (" + words + ")"
	case errors.Is(err, fs.ErrNotExist):
		return noSuchFile
	case known:
		return words
	case errors.Is(err, errRevoked), errors.Is(err, errNotEnrolled), errors.Is(err, errInstance), errors.Is(err, errEnrol), errors.Is(err, errEnrolled):
		return err.Error()
	}
	s.s.diag().Error("Command failed", "from", s.from.String(), "key", s.fingerprint, "err", err)
	return "failed for a reason that stands in the log of the gateway"
}

// timed gives writes to the channel a bound. A write waits while the peer does
// not read; one that never does loses the connection, for nothing else wakes
// the writer.
func (s *session) timed(w io.Writer) io.Writer { return &timedWriter{s, w} }

type timedWriter struct {
	s *session
	w io.Writer
}

func (t *timedWriter) Write(p []byte) (int, error) {
	defer t.s.bound()()
	return t.w.Write(p)
}

// bound ends the connection unless the function that it returns is called in
// time.
func (s *session) bound() (stop func()) {
	t := time.AfterFunc(s.s.limits.Stall, func() {
		s.refuse(byStall)
		s.sc.Close()
	})
	return func() { t.Stop() }
}
