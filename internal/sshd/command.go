package sshd

import (
	"fmt"
	"strings"
	"time"

	"waybill/internal/window"
)

// Directory is what collectors know as the place of tracking files.
const Directory = "/export/tracking"

// maxCommand bounds the text of a command, in bytes.
const maxCommand = 1024

// Verb is a command of the closed set.
type Verb uint8

// The commands.
const (
	List     Verb = iota + 1 // ls -AF /export/tracking[/]
	Copy                     // scp [-v] [-p] -f [--] FILE
	Remove                   // rm FILE
	Hello                    // hello INSTANCE
	Evidence                 // evidence FROM TO
	Refetch                  // refetch FILE
	Enrol                    // enrol NAME HEXMAC
)

// Command is a command that was understood.
type Command struct {
	Verb  Verb
	File  string    // Copy, Remove, Refetch: the name of a tracking file, without a directory
	Times bool      // Copy: -p, the receiver wants the time of the file
	From  time.Time // Evidence, UTC
	To    time.Time // Evidence, after From
	Name  string    // Hello: the instance; Enrol: the collector's name
	MAC   string    // Enrol: 64 hexadecimal digits
}

// Exit statuses of refused commands, as a shell would give them.
const (
	exitFailed  = 1
	exitUnknown = 127
)

// A Refusal says why a command is not run.
type Refusal struct {
	Status uint32 // 1: refused, 127: no such command here
	Reason string // for the person; holds nothing of what he sent
	SCP    bool   // the other side speaks the scp protocol
}

func (r *Refusal) Error() string { return r.Reason }

const offered = "this account offers: ls -AF " + Directory + "/, scp -f FILE, rm FILE, sftp"

// Parse reads the text of a command. Nothing is ever handed to a shell, so there
// is no quoting: words are separated by one blank each. The error is a *Refusal.
func Parse(text string) (Command, error) {
	if len(text) > maxCommand {
		return Command{}, &Refusal{Status: exitFailed, Reason: "the command is too long"}
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c >= 0x7f {
			return Command{}, &Refusal{Status: exitFailed, Reason: "the command holds a character that no command here has"}
		}
	}
	words := strings.Split(text, " ")
	name, args := words[0], words[1:]
	switch name {
	case "ls":
		return parseList(args)
	case "scp":
		return parseCopy(args)
	case "rm":
		return parseFile(Remove, "usage: rm FILE", args)
	case "refetch":
		return parseFile(Refetch, "usage: refetch FILE", args)
	case "hello":
		if len(args) != 1 || !isName(args[0]) {
			return refuse("usage: hello INSTANCE (at most 64 of A-Z a-z 0-9 . _ : @ -)")
		}
		return Command{Verb: Hello, Name: args[0]}, nil
	case "evidence":
		return parseEvidence(args)
	case "enrol":
		if len(args) != 2 || !isName(args[0]) || !isMAC(args[1]) {
			return refuse("usage: enrol NAME HEXMAC")
		}
		return Command{Verb: Enrol, Name: args[0], MAC: args[1]}, nil
	case "rsync":
		return Command{}, &Refusal{Status: exitUnknown, Reason: "rsync is not offered here: use scp or sftp; " + offered}
	}
	return Command{}, &Refusal{Status: exitUnknown, Reason: "no such command here; " + offered}
}

func refuse(reason string) (Command, error) {
	return Command{}, &Refusal{Status: exitFailed, Reason: reason}
}

func parseList(args []string) (Command, error) {
	if len(args) == 2 && args[0] == "-AF" && strings.TrimSuffix(args[1], "/") == Directory && len(args[1]) <= len(Directory)+1 {
		return Command{Verb: List}, nil
	}
	return refuse("the one listing here is: ls -AF " + Directory + "/")
}

// parseCopy reads what scp puts together for the other side: "-v", "-p", "-f",
// each at most once, and "--" before the name.
func parseCopy(args []string) (Command, error) {
	refuse := func(reason string) (Command, error) {
		return Command{}, &Refusal{Status: exitFailed, Reason: reason, SCP: true}
	}
	c := Command{Verb: Copy}
	var from, verbose bool
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		var seen *bool
		switch args[0] {
		case "-f":
			seen = &from
		case "-p":
			seen = &c.Times
		case "-v":
			seen = &verbose
		case "-t":
			return refuse("files are handed out here, not taken")
		case "-r", "-d":
			return refuse("one file at a time: directories are not copied here")
		case "--":
		default:
			return refuse("scp: an option that is not offered here")
		}
		if seen != nil && *seen {
			return refuse("scp: an option is given twice")
		}
		if args = args[1:]; seen == nil {
			break
		}
		*seen = true
	}
	if !from {
		return refuse("usage: scp [-v] [-p] -f FILE")
	}
	if len(args) != 1 {
		return refuse("scp: one file at a time")
	}
	var ok bool
	if c.File, ok = fileName(args[0]); !ok {
		return refuse(notAFile)
	}
	return c, nil
}

const notAFile = "not the name of a tracking file: " + Directory + "/tracking.@FROM_TO.s.gz"

func parseFile(v Verb, usage string, args []string) (Command, error) {
	if len(args) != 1 {
		return refuse(usage)
	}
	name, ok := fileName(args[0])
	if !ok {
		return refuse(notAFile)
	}
	return Command{Verb: v, File: name}, nil
}

// fileName takes the name of a sealed and compressed tracking file out of its
// path, or out of the bare name.
func fileName(path string) (string, bool) {
	name := strings.TrimPrefix(path, Directory+"/")
	return name, isFile(name)
}

func isFile(name string) bool {
	n, err := window.ParseName(name)
	return err == nil && n.Compressed
}

func parseEvidence(args []string) (Command, error) {
	const usage = "usage: evidence FROM TO (as in 2023-02-13T19:00:00Z)"
	if len(args) != 2 {
		return refuse(usage)
	}
	from, err1 := parseTime(args[0])
	to, err2 := parseTime(args[1])
	if err1 != nil || err2 != nil {
		return refuse(usage)
	}
	if !to.After(from) {
		return refuse("evidence: the end is not after the beginning")
	}
	return Command{Verb: Evidence, From: from, To: to}, nil
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err == nil && (!strings.HasSuffix(s, "Z") || len(s) > len("2006-01-02T15:04:05.999999999Z")) {
		err = fmt.Errorf("not a time in UTC")
	}
	return t.UTC(), err
}

// isName accepts what an instance or a collector may be called.
func isName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == ':', c == '@':
		case c == '.' || c == '-':
			if i == 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func isMAC(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
