package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// remote reports whether whoever sits here would see no window that opens.
func remote(env func(string) (string, bool)) bool {
	if v, _ := env("SSH_CONNECTION"); v != "" {
		return true
	}
	return !display(env)
}

// display reports whether windows can be opened.
func display(env func(string) (string, bool)) bool {
	if runtime.GOOS == "darwin" {
		return true
	}
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY"} {
		if v, _ := env(name); v != "" {
			return true
		}
	}
	return false
}

// browserCommand is a program that opens a link.
type browserCommand []string

// browser finds a browser: $BROWSER, which says what its owner wants, else that
// of the desktop. It is nil where there is none, where a window would open far
// away, and for root, who is not to run a browser.
func browser(env func(string) (string, bool)) browserCommand {
	if list, _ := env("BROWSER"); list != "" {
		for b := range strings.SplitSeq(list, string(os.PathListSeparator)) {
			words := strings.Fields(b)
			if len(words) == 0 {
				continue
			}
			if path, err := exec.LookPath(words[0]); err == nil {
				return append(browserCommand{path}, words[1:]...)
			}
		}
		return nil
	}
	if remote(env) || os.Geteuid() == 0 {
		return nil
	}
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	if path, err := exec.LookPath(name); err == nil {
		return browserCommand{path}
	}
	return nil
}

// open starts the browser, which is not waited for.
func (b browserCommand) open(link string) error {
	args := make([]string, 0, len(b)+1)
	placed := false
	for _, w := range b[1:] {
		if strings.Contains(w, "%s") {
			w, placed = strings.ReplaceAll(w, "%s", link), true
		}
		args = append(args, w)
	}
	if !placed {
		args = append(args, link)
	}
	cmd := exec.Command(b[0], args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C here is not for the browser
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a browser: %w", err)
	}
	go func() {
		_ = cmd.Wait() // the link stands on the terminal, whatever became of it
	}()
	return nil
}
