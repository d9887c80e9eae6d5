package postfix_test

import (
	"sync"
	"testing"

	"waybill/internal/track"
	"waybill/test/peers/program"
)

// world is what Waybill answers about a scene.
type world struct {
	scene
	*program.Store
	messages []*track.Message // of both hosts, with what the store resolves
}

var (
	worldsMu sync.Mutex
	worlds   = map[*scene]*world{}
)

// eachWorld runs a test on every scene, imported through the program. A scene
// is imported once.
func eachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	eachScene(t, func(t *testing.T, s *scene) {
		worldsMu.Lock()
		defer worldsMu.Unlock()
		w := worlds[s]
		if w == nil {
			w = imported(t, s)
			worlds[s] = w
		}
		test(t, w)
	})
}

func imported(t *testing.T, s *scene) *world {
	t.Helper()
	w := &world{scene: *s, Store: program.New(t, scratch)}
	for host, path := range s.logs {
		w.Import(t, host, 2026, path)
	}
	w.messages = append(w.Search(t), w.Search(t, "kind:rejection")...)
	return w
}
