package sqlite

import (
	"testing"

	"waybill/internal/store"
	"waybill/internal/store/storetest"
)

func TestContract(t *testing.T) {
	open := func(t testing.TB, dir string, ro bool) store.Store {
		s, err := Open(t.Context(), dir, Options{ReadOnly: ro})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	storetest.Run(t, storetest.Engine{
		Open:       func(t testing.TB, dir string) store.Store { return open(t, dir, false) },
		OpenReader: func(t testing.TB, dir string) store.Store { return open(t, dir, true) },
	})
}
