package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"time"
)

//go:embed assets/*
var assetFiles embed.FS

// assets are the files that pages load, each under an address that names its
// content, so that browsers may keep them.
type assets struct {
	prefix string
	files  map[string]asset
}

type asset struct {
	content []byte
	kind    string
	version string
}

func loadAssets(prefix string) (*assets, error) {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	a := &assets{prefix: prefix, files: make(map[string]asset)}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, e := range entries {
		content, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, err
		}
		kind, ok := kinds[path.Ext(e.Name())]
		if !ok {
			return nil, fmt.Errorf("asset %s: its media type is not known", e.Name())
		}
		sum := sha256.Sum256(content)
		a.files[e.Name()] = asset{content, kind, hex.EncodeToString(sum[:6])}
	}
	return a, nil
}

// url is where pages find a file. A name that is none is a mistake in a page,
// found by the first that shows it.
func (a *assets) url(name string) (string, error) {
	f, ok := a.files[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return a.prefix + name + "?v=" + f.version, nil
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) error {
	f, ok := a.files[r.PathValue("name")]
	if !ok {
		return &failure{code: http.StatusNotFound, title: "No such file", why: "There is nothing at this address."}
	}
	w.Header().Set("Content-Type", f.kind)
	if r.URL.Query().Get("v") == f.version {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	return nil
}
