package main

import (
	"context"

	"waybill/internal/store"
	"waybill/internal/store/sqlite"
)

// countOf counts the rows of a store: the messages, or with "kind:rejection"
// the rejections.
func countOf(ctx context.Context, data, text string) (int, error) {
	db, err := sqlite.Open(ctx, data, sqlite.Options{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	q := &store.Query{}
	if text != "" {
		q.Rejections = true
		q.All = []store.Cond{{Any: []store.Term{{Field: store.FieldKind, Op: store.OpIs, Text: "rejection"}}}}
	}
	return db.Count(ctx, q, 0)
}
