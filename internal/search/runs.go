package search

import (
	"waybill/internal/coverage"
	"waybill/internal/store"
)

// ClaimedRuns are the spans that the logs of one gateway claim.
func ClaimedRuns(sources []store.Source) []Run {
	var out []Run
	for _, r := range coverage.Runs(sources) {
		out = append(out, r.Interval)
	}
	return out
}
