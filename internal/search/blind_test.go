package search

import (
	"fmt"
	"testing"

	"waybill/internal/track"
)

func TestBlindIsCountedUpToALimit(t *testing.T) {
	s := &memory{}
	s.log("mx1", 1e6, 9e9, 60e6)
	for i := range maxBlind + 500 {
		s.add(track.Message{Gateway: "mx1", Time: track.Stamp(i+1) * 1e6, Sender: text("ann@example.com"), QueueID: fmt.Sprintf("q%d", i),
			MessageID: "<a@example.com>", Blind: track.BlindSubject, Status: track.StatusDelivered, RecipientCount: 1,
			Recipients: []track.Rcpt{{Address: "bob@example.net", Status: track.StatusDelivered}}})
	}
	s.add(track.Message{Gateway: "mx1", Time: 5e9, Subject: "offer", Sender: text("eve@example.com"), MessageID: "<b@example.com>"})
	for _, tc := range []struct {
		query   string
		want    int
		atLeast bool
	}{
		{"subject:nothing", maxBlind, true},
		{"subject:offer", maxBlindFound, true},
		{"nothing at all", maxBlind, true},
		{"offer eve", maxBlindFound, true}, // both may stand in the subject
		{"ann offer", maxBlind, true},
		{`subject:nothing -subject:""`, maxBlind, true},
		{`subject:offer -subject:""`, maxBlindFound, true},
		{"subject:nothing queue-id:=q7", 1, false},
	} {
		a, err := engineOf(s).Search(t.Context(), Request{Text: tc.query})
		if err != nil {
			t.Fatal(err)
		}
		var got BlindField
		if len(a.Coverage.Blind) > 0 {
			got = a.Coverage.Blind[0]
		}
		if got.Messages != tc.want || got.AtLeast != tc.atLeast || tc.want > 0 && got.Field != "subject" {
			t.Errorf("%s: blind is %+v, want %d, at least %v", tc.query, got, tc.want, tc.atLeast)
		}
	}
}

func TestReasons(t *testing.T) {
	for _, tc := range []struct {
		bit  hidden
		m    track.Message
		want string
	}{
		{hidesSubject, track.Message{Kind: "rejection"}, "rejected before a subject was sent"},
		{hidesMessageID, track.Message{Kind: "rejection"}, "rejected before a Message-ID was sent"},
		{hidesSize, track.Message{Kind: "rejection"}, "the log line of the rejection does not tell it"},
		{hidesSubject, track.Message{}, "the log has no Subject line of them: header_checks with INFO would log it"},
		{hidesMessageID, track.Message{HeadOpen: true}, "their beginning lies before the log"},
		{hidesMessageID, track.Message{}, "the log has no Message-ID line of them"},
		{hidesSender, track.Message{Status: track.StatusHeld}, "held: their sender is not in the log until they are released"},
		{hidesSender, track.Message{}, "the log has no line of them that names the sender"},
		{hidesRecipients, track.Message{Status: track.StatusHeld}, "held: their recipients are not in the log until they are released"},
		{hidesRecipients, track.Message{Status: track.StatusAborted}, "never accepted: the log need not name all of their recipients"},
		{hidesRecipients, track.Message{Status: track.StatusQueued}, "still in the queue when the log ends: recipients are in the log once they were tried"},
		{hidesRecipients, track.Message{Ended: true}, "not all of their recipients are in the log"},
		{hidesClient, track.Message{}, "the log does not show where they came from"},
		{hidesSize, track.Message{}, "the log has no line of them that tells the size"},
	} {
		for _, v := range veils() {
			if v.bit != tc.bit {
				continue
			}
			if got := blindReason(v, []*track.Message{&tc.m}); got != tc.want {
				t.Errorf("reason is %q, want %q", got, tc.want)
			}
		}
	}
}
