package app

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func sh(t *testing.T) string {
	t.Helper()
	p, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChildSaysWhyItEnded(t *testing.T) {
	var said bytes.Buffer
	c := child{name: "ssh server", program: sh(t), args: []string{"-c", "echo first >&2; echo cannot listen >&2; exit 3"}, says: &said}
	err := c.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.HasSuffix(err.Error(), "it said: cannot listen") {
		t.Errorf("Run = %v", err)
	}
	if said.String() != "first\ncannot listen\n" {
		t.Errorf("passed on: %q", said.String())
	}
	c.args = []string{"-c", "exit 0"}
	if err := c.Run(t.Context()); err == nil {
		t.Error("a child that ends by itself is no failure")
	}
}

func TestChildIsAskedToEnd(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := child{name: "ssh server", program: sh(t), args: []string{"-c", `trap 'echo asked >&2; exit 0' TERM; echo ready >&2; while :; do sleep 0.05; done`}, says: w}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() {
		ran <- c.Run(ctx)
		w.Close()
	}()
	ready := make([]byte, 6)
	if _, err := r.Read(ready); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-ran:
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the child did not end")
	}
	rest := make([]byte, 100)
	n, err := r.Read(rest)
	if err != nil || string(rest[:n]) != "asked\n" {
		t.Errorf("it said %q, %v", rest[:n], err)
	}
}
