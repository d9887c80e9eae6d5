package sshd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Rights are what the process keeps. The directories must exist.
type Rights struct {
	Root  string   // the data directory; the others are relative to it
	Read  []string // in which files are read: the sealed tracking files
	Write []string // in which files are made, written, renamed and removed: state, cli_logs, status
	// Required makes it an error when the kernel cannot confine the process to
	// them.
	Required bool
}

// Confinement says what holds since [Confine].
type Confinement struct {
	Landlock int  `json:"landlock"` // version of the kernel's Landlock ABI; 0: none
	Files    bool `json:"files"`    // no file but those of the rights; nothing can be executed
	Network  bool `json:"network"`  // no TCP port can be bound or connected to (Landlock)
	Sockets  bool `json:"sockets"`  // no socket can be made, no program run (seccomp)
	// Missing is what the kernel could not do, in words for the operator; empty
	// when all of it holds.
	Missing []string `json:"missing,omitempty"`
}

// String is one line for a log.
func (c Confinement) String() string {
	if len(c.Missing) == 0 {
		return fmt.Sprintf("confined (Landlock ABI %d, seccomp)", c.Landlock)
	}
	return "not fully confined: " + strings.Join(c.Missing, "; ")
}

// Confine takes rights away from the whole process, for good: it reads and
// writes the named directories only, and makes no connection and no listener that
// it does not have. Call it when the server listens, the host key
// is read and logs are open. What the kernel cannot do is said in the result,
// and is an error where the rights are required.
func Confine(r Rights) (Confinement, error) {
	// The zone is read from a file at first use, which would be too late.
	_, _ = time.Now().Local().Zone()

	var c Confinement
	if abi, err := ll.LandlockGetABIVersion(); err == nil {
		c.Landlock = abi
	}
	if c.Landlock == 0 {
		c.Missing = append(c.Missing, "this kernel has no Landlock, or it is off: files are protected by the permissions of the user alone")
	} else if err := confineFiles(r); err != nil {
		return c, fmt.Errorf("confine: landlock: %w", err)
	} else {
		c.Files, c.Network = true, c.Landlock >= 4
	}
	if err := confineSockets(); err == nil {
		c.Sockets = true
	} else {
		c.Missing = append(c.Missing, fmt.Sprintf("seccomp: %v: new sockets can be made", err))
		if !c.Network {
			c.Missing = append(c.Missing, "Landlock of this kernel does not cover the network")
		}
	}
	if r.Required && len(c.Missing) > 0 {
		return c, errors.New("confine: it is required, and " + strings.Join(c.Missing, "; "))
	}
	return c, nil
}

const (
	readRights  = ll.AccessFSReadFile | ll.AccessFSReadDir
	writeRights = readRights | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRemoveFile | ll.AccessFSMakeReg | ll.AccessFSMakeDir
)

// confineFiles also lets the process list names on the way to its directories:
// os.Root opens every directory of a path.
func confineFiles(r Rights) error {
	var rules []landlock.Rule
	add := func(access landlock.AccessFSSet, names []string) {
		for _, name := range names {
			rules = append(rules, landlock.PathAccess(access, filepath.Join(r.Root, name)))
			if first, _, deep := strings.Cut(filepath.ToSlash(filepath.Clean(name)), "/"); deep {
				rules = append(rules, landlock.PathAccess(ll.AccessFSReadDir, filepath.Join(r.Root, first)))
			}
		}
	}
	add(readRights, r.Read)
	add(writeRights, r.Write)
	return landlock.V9.BestEffort().Restrict(rules...)
}
