package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Unpacked returns the tree of a mail server that test/peers/fetch.sh has
// unpacked into the checkout: "exim", "sendmail" or "opensmtpd". It ends the
// test where the tree is missing or the test is not run by root, who alone can
// start a program in another root.
func Unpacked(tb testing.TB, name string) string {
	tb.Helper()
	if os.Geteuid() != 0 {
		Skip(tb, name+" must be started by root")
	}
	tree, err := Tree(name)
	if err != nil {
		Skip(tb, fmt.Sprintf("%s is not unpacked (run test/peers/fetch.sh): %v", name, err))
	}
	return tree
}

// Tool returns the path of a script that fetch.sh has put beside the trees,
// such as eximstats. It ends the test where that is missing.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	top, err := checkout()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(top, "bin", "peers", name)
	if _, err := os.Stat(path); err != nil {
		Skip(tb, fmt.Sprintf("%s is not there (run test/peers/fetch.sh): %v", name, err))
	}
	return path
}

// Tree is the path of a server's tree, or an error where it is not complete.
func Tree(name string) (string, error) {
	top, err := checkout()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(top, "bin", "peers", name)
	_, err = os.Stat(filepath.Join(dir, "versions")) // written last
	return dir, err
}

// checkout is the top of the tree that the test is in.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the test's directory")
		}
		dir = up
	}
}
