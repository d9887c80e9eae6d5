package sqlite

import (
	"testing"

	"waybill/internal/store"
	"waybill/internal/store/storetest"
)

func TestContract(t *testing.T) {
	open := func(t testing.TB, dir string, opt Options) store.Store {
		opt.noSync = true
		s, err := Open(t.Context(), dir, opt)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	storetest.Run(t, storetest.Engine{
		Open:       func(t testing.TB, dir string) store.Store { return open(t, dir, Options{}) },
		OpenReader: func(t testing.TB, dir string) store.Store { return open(t, dir, Options{ReadOnly: true}) },
		TryOpen:    func(t testing.TB, dir string) (store.Store, error) { return Open(t.Context(), dir, Options{}) },
		OpenStepping: func(t testing.TB, dir string, step func(string) error) store.Store {
			return open(t, dir, Options{Step: step})
		},
		OpenSmall: func(t testing.TB, dir string) store.Store { return open(t, dir, Options{maxPages: 24}) },
	})
}
