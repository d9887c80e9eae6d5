package sqlite

import (
	"errors"
	"sync"

	"waybill/internal/store/sqlite/record"
	"waybill/internal/store/sqlite/timeline"
	"waybill/internal/track"
)

const (
	blockMessages = 128  // messages in a full block of events
	blockEvents   = 4096 // events after which a block is closed whatever it holds
)

// blockPlan is what goes into one block.
type blockPlan struct {
	id    int64
	items []blockItem
	data  []byte
}

type blockItem struct {
	node  *node
	fresh *fresh
}

// blocks packs the new events of the day and writes them. The blocks are made
// on all processors and written as they come.
func (t *dayTx) blocks(nodes []*node) error {
	plans := t.planBlocks(nodes)
	if len(plans) == 0 {
		return nil
	}
	numbers := t.labelNumbers()
	encoders, err := t.in.db.encoders(workers(len(plans)))
	if err != nil {
		return err
	}
	st, err := t.tx.PrepareContext(t.ctx, "INSERT INTO blk(id, data) VALUES(?, ?)")
	if err != nil {
		return err
	}
	jobs := make(chan *blockPlan)
	done := make(chan *blockPlan, len(encoders))
	var wg sync.WaitGroup
	for _, e := range encoders {
		wg.Go(func() {
			var scratch []track.Event
			for p := range jobs {
				scratch = p.encode(e, numbers, scratch)
				done <- p
			}
		})
	}
	go func() {
		for i := range plans {
			jobs <- &plans[i]
		}
		close(jobs)
		wg.Wait()
		close(done)
	}()
	var errs []error
	for p := range done {
		if len(errs) == 0 {
			if _, err := st.ExecContext(t.ctx, p.id, p.data); err != nil {
				errs = append(errs, err) // go on taking, so that the workers end
			}
		}
		p.data = nil
	}
	return errors.Join(errs...)
}

// planBlocks deals the new events out and tells the parts where theirs will be.
func (t *dayTx) planBlocks(nodes []*node) []blockPlan {
	var plans []blockPlan
	events := 0
	for _, n := range nodes {
		if n.into != nil {
			continue
		}
		for i := range n.fresh {
			f := &n.fresh[i]
			if k := len(plans); k == 0 || len(plans[k-1].items) >= blockMessages || events >= blockEvents {
				plans = append(plans, blockPlan{id: t.w.nextBlock})
				t.w.nextBlock++
				events = 0
			}
			p := &plans[len(plans)-1]
			n.rec.Parts[f.part].Refs = []record.Ref{{Block: p.id, Index: len(p.items)}}
			p.items = append(p.items, blockItem{n, f})
			events += len(f.events)
		}
	}
	return plans
}

// labelNumbers gives the batch's names of sources numbers of the day.
func (t *dayTx) labelNumbers() []uint32 {
	out := make([]uint32, len(t.in.labels))
	for i, name := range t.in.labels {
		out[i] = t.w.dict.force(name)
	}
	return out
}

// encode packs the block. Events are copied: their source becomes a number of
// the day, and the batch is not ours to change.
func (p *blockPlan) encode(e *timeline.Encoder, numbers []uint32, scratch []track.Event) []track.Event {
	for _, it := range p.items {
		scratch = append(scratch[:0], it.fresh.events...)
		for i := range scratch {
			n := scratch[i].Source
			if it.fresh.window != nil {
				n, _ = it.fresh.window.label(n)
			}
			if int(n) < len(numbers) {
				scratch[i].Source = numbers[n]
			}
		}
		e.Add(scratch)
	}
	p.data = e.Close()
	return scratch
}
