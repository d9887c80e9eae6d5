// Package postfix_test holds Waybill against what real Postfix instances did.
//
// Every test runs on two scenes: a recorded run of the rig, which needs
// nothing, and one that is made on the spot with the Postfix of this host.
package postfix_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"waybill/test/peers/peer"
	"waybill/test/peers/postfix/rig"
	"waybill/test/peers/program"
	"waybill/test/peers/smtprig"
)

// scene is a run of the rig: the logs of its two hosts and the truth.
type scene struct {
	logs map[string]string // host name: path
	// queues are what postqueue -j said at the end, host name: paths. A recorded
	// scene has none.
	queues map[string][]string
	truth  *smtprig.Truth
}

// hosts of the rig by instance; C lives on A's host.
var hosts = map[string]string{"a": "mx-a", "b": "mx-b", "c": "mx-a"}

const genuine = "../../../testdata/genuine/"

// recorded is the run that is kept as test data.
var recorded = sync.OnceValues(func() (*scene, error) {
	f, err := os.Open(genuine + "postfix-rig-truth.tsv.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	truth, err := smtprig.ReadTruth(z)
	return &scene{truth: truth, logs: map[string]string{
		"mx-a": genuine + "postfix-rig.log.gz", "mx-b": genuine + "postfix-rig-b.log.gz"}}, err
})

// live is a run made now. It takes about a minute and is made once.
var live = sync.OnceValues(func() (*scene, error) {
	dir := filepath.Join(scratch, "rig")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	r, err := rig.Run(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &scene{truth: &r.Truth, logs: map[string]string{"mx-a": r.Log("a"), "mx-b": r.Log("b")},
		queues: map[string][]string{"mx-a": {r.Queue("a"), r.Queue("c")}, "mx-b": {r.Queue("b")}}}, nil
})

// scratch is a directory of this test run, with the program.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, remove, err := program.Scratch("postfix")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() {
			if err := remove(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
		scratch = dir
		return m.Run()
	}())
}

// eachScene runs a test on the recorded scene and on a live one.
func eachScene(t *testing.T, test func(t *testing.T, s *scene)) {
	t.Helper()
	t.Run("recorded", func(t *testing.T) {
		s, err := recorded()
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
	t.Run("live", func(t *testing.T) {
		if testing.Short() {
			t.Skip("a run of the rig takes a minute")
		}
		if why := peer.Missing(true, rig.Programs...); why != "" {
			peer.Skip(t, why)
		}
		s, err := live()
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

// open opens a log, compressed or not.
func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || filepath.Ext(path) != ".gz" {
		return f, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}
