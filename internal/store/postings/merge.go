package postings

import "context"

func (x *Index) Merge(ctx context.Context, tx Tx) error    { return nil }
func (x *Index) Maintain(ctx context.Context, tx Tx) error { return nil }
