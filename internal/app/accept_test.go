package app

import (
	"errors"
	"testing"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/smad"
	"waybill/internal/window"
)

func TestGatewaysCannotWriteInEachOthersName(t *testing.T) {
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	o := owners{registry: smad.Registry{FS: root}, now: time.Now}
	for _, g := range []smad.Gateway{{Name: "mx-a", Address: "192.0.2.64:22"}, {Name: "mx-b", Address: "192.0.2.65:22"}} {
		if _, err := o.registry.Add(g); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		dir, says string
		refused   bool
	}{
		{"mx-a", "mx-a", false},
		{"mx-a", "192.0.2.7", false}, // a host that mx-a listens to
		{"mx-a", "mx-b", true},
		{"local", "mx-b", false}, // this host's own, in its own queue
	} {
		err := o.accept(tc.dir, window.Header{Gateway: tc.says})
		var foreign *foreignNameError
		if errors.As(err, &foreign) != tc.refused || err != nil && !tc.refused {
			t.Errorf("%s says that it is %s: %v", tc.dir, tc.says, err)
		}
	}
}
