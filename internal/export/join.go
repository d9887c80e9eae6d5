package export

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"regexp"
	"time"
)

const (
	joinName = "join"
	maxJoin  = 4 << 10
)

// tokenForm is what a token may look like.
var tokenForm = regexp.MustCompile(`^[!-~]{16,256}$`)

// armed is the file join: a token by which one new key can enrol. What became
// of it stands in the front's journal, under the id of the arming.
type armed struct {
	Token   string    `json:"token"`
	Nonce   string    `json:"nonce"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// id tells armings apart, also two of one token, and gives nothing away.
func (a *armed) id() string {
	sum := sha256.Sum256([]byte("waybill join\n" + a.Nonce + "\n" + a.Token))
	return hex.EncodeToString(sum[:12])
}

// tries is how often the token was tried; tokenUsed when it has served.
func (a *armed) tries(v *views) uint64 {
	if v.token.id != a.id() {
		return 0
	}
	return v.token.tries
}

// open reports whether the token may be tried.
func (a *armed) open(v *views, now time.Time) bool {
	return a != nil && now.Before(a.Expires) && a.tries(v) < TokenTries
}

// readJoin reads the armed token; nil when there is none.
func readJoin(o *Options) (*armed, error) {
	path := filepath.Join(o.State, joinName)
	text, err := readFile(o.FS, path, maxJoin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := &armed{}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !tokenForm.MatchString(a.Token) {
		return nil, fmt.Errorf("%s: there is no token in it", path)
	}
	return a, nil
}

// Token is the token of `waybill join`, and whether it is armed: not expired,
// not used, and not tried too often. It is for telling that an enrolment is
// open; to check a proof against the token, call Try.
func (f *Front) Token() (token string, isArmed bool) {
	a, err := readJoin(&f.Options)
	if err != nil {
		f.Log.Warn("The token for enrolment cannot be read", "err", err)
		return "", false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !a.open(&f.views, f.now()) {
		return "", false
	}
	return a.Token, true
}

// Try counts one try to prove knowledge of the token, durably and before it is
// checked, and returns the token to check with. After five it is ErrNotArmed.
func (f *Front) Try() (token string, err error) {
	f.enrol.Lock()
	defer f.enrol.Unlock()
	a, err := readJoin(&f.Options)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	isOpen := a.open(&f.views, f.now())
	tries := uint64(0)
	if isOpen {
		tries = a.tries(&f.views) + 1
	}
	f.mu.Unlock()
	if !isOpen {
		return "", ErrNotArmed
	}
	if err := f.journal.append(&Event{Time: f.now(), Kind: attempt, Token: a.id(), Number: tries}); err != nil {
		return "", err
	}
	if tries == TokenTries {
		f.Log.Warn("The token for enrolment was tried five times and is not accepted again: waybill join")
	}
	return a.Token, nil
}

// newID is a random id for a collector: one that is removed and comes back
// begins anew.
func newID() string { return "c-" + rand.Text()[:12] }

// Enrol makes the key a required collector, and uses the token up. Whoever calls
// it has checked the proof. It is fs.ErrExist when the key is known already.
func (f *Front) Enrol(fingerprint string, from netip.Addr, name, instance string) error {
	f.enrol.Lock()
	defer f.enrol.Unlock()
	if !keyForm.MatchString(fingerprint) {
		return fmt.Errorf("enrol %q: not the fingerprint of a key", fingerprint)
	}
	if !nameForm.MatchString(name) {
		return fmt.Errorf("enrol: %q is not a name: 1 to 64 of A-Z a-z 0-9 . _ : @ -", name)
	}
	if instance != "" && !instanceForm.MatchString(instance) {
		return fmt.Errorf("enrol: %w", ErrInstance)
	}
	a, err := readJoin(&f.Options)
	if err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	if err := f.refresh(true); err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	now := f.now()
	f.mu.Lock()
	known := len(f.roster.withKey(fingerprint)) > 0
	full := len(f.roster) >= maxCollectors
	usable := a != nil && now.Before(a.Expires) && a.tries(&f.views) != tokenUsed
	name = f.roster.freeName(name)
	f.mu.Unlock()
	switch {
	case known:
		return fmt.Errorf("enrol: this key: %w", fs.ErrExist)
	case !usable:
		return ErrNotArmed
	case full:
		return fmt.Errorf("enrol: there are %d collectors already", maxCollectors)
	}
	e := &Event{Time: now, Kind: Enrolled, Collector: newID(), Name: name, Key: fingerprint,
		Address: cleanAddr(from), Instance: instance, Token: a.id()}
	if err := f.journal.append(e); err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	f.Log.Info("Collector enrolled", "collector", name, "key", fingerprint, "address", e.Address)
	return f.refresh(true)
}
