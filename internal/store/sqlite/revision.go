package sqlite

import (
	"context"
	"fmt"
)

// Revision is a text that changes when something is ingested or dropped. It
// costs little, for those who ask often whether there is anything new.
func (s *DB) Revision(ctx context.Context) (string, error) {
	var windows, last, days int64
	err := s.catR.QueryRowContext(ctx, "SELECT count(*), ifnull(max(done_at), 0), (SELECT count(*) FROM dropped) FROM window").Scan(&windows, &last, &days)
	if err != nil {
		return "", fmt.Errorf("look for changes: %w", err)
	}
	return fmt.Sprintf("%d/%d/%d", windows, last, days), nil
}
