package app

import (
	"time"

	"waybill/internal/simulate"
)

// Question is a stop of the tour through the demonstration: what somebody asks
// and what the answer shows.
type Question struct {
	Ask   string
	Query string // as in the search box
	From  string // time of the command line, "" for all there is
	See   string
}

// Tour is the way through the demonstration. Its messages are in demoScript.
func Tour() []Question {
	return []Question{
		{Ask: "Where did Alice's invoice go?", Query: `subject:"Invoice 2026-118"`,
			See: "mx-a gave it to its content filter, got it back and handed it to mx-b; the outcome is the one at the end"},
		{Ask: "Has Kim's offer arrived?", Query: "recipient:hotline@fjord.example",
			See: "the log says deferred, but the connection broke after the message was sent: nobody can know, and Waybill says so"},
		{Ask: "Why did Carol get a bounce?", Query: "recipient:old.customer@lindgren.example",
			See: "the other server's own words; and the bounce, a message of its own, on its way through mx-b"},
		{Ask: "What did the appliance do to Dora's agreement?", Query: `subject:"Framework agreement"`,
			See: "a filter rewrote it to another MID; what became of that is shown for the first one too"},
		{Ask: "Is this Subject harmless?", Query: "sender:mallory@example.net",
			See: "escape sequences, markup and text that runs backwards, as text"},
		{Ask: "Was there anything for Zoe since the day before yesterday?", Query: "recipient:zoe@example.com", From: "-2d",
			See: "not found, and how much of that time no log covers: exit code 3, and not 1"},
	}
}

// demoScript are the messages that the tour asks for, at times before now.
func demoScript(now time.Time) []simulate.Cue {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	return []simulate.Cue{
		{At: ago(52 * time.Minute), Scene: simulate.Undeliverable, Gateway: "mx-a", Sender: "carol@example.com", Recipient: "old.customer@lindgren.example", Subject: "Your contract"},
		{At: ago(41 * time.Minute), Scene: simulate.Filtered, Gateway: "mx-a", Sender: "alice@harbour.example", Recipient: "bob@example.com", Subject: "Invoice 2026-118"},
		{At: ago(33 * time.Minute), Scene: simulate.Footer, Gateway: "esa-1", Sender: "dora@example.com", Recipient: "petra@kestrel.example", Subject: "Framework agreement"},
		{At: ago(26 * time.Minute), Scene: simulate.GivenUp, Gateway: "mail-c", Sender: "ann@example.com", Recipient: "orders@northwind.example", Subject: "Order 4711"},
		{At: ago(19 * time.Minute), Scene: simulate.NeverCertain, Gateway: "mx-a", Sender: "kim@example.com", Recipient: "hotline@fjord.example", Subject: "Our offer"},
		{At: ago(15 * time.Minute), Scene: simulate.HostileSubject, Gateway: "mx-a", Sender: "mallory@example.net", Recipient: "ann@example.com", Subject: "\x1b]0;owned\x07\x1b[2J\x1b[31mALERT"},
		{At: ago(14 * time.Minute), Scene: simulate.HostileSubject, Gateway: "mx-a", Sender: "mallory@example.net", Recipient: "bob@example.com", Subject: `<script>alert("waybill")</script>`},
		{At: ago(13 * time.Minute), Scene: simulate.HostileSubject, Gateway: "esa-1", Sender: "mallory@example.net", Recipient: "lea@example.com", Subject: "invoice \u202excod.exe"},
		{At: ago(12 * time.Minute), Scene: simulate.HostileHELO, Gateway: "mx-a", Sender: "mallory@example.net", Recipient: "max@example.com", Subject: "hello"},
		{At: ago(9 * time.Minute), Scene: simulate.OnHold, Gateway: "mx-a", Sender: "otto@example.org", Recipient: "ann@example.com", Subject: "Odd attachment"},
		{At: ago(6 * time.Minute), Scene: simulate.Suspicious, Gateway: "esa-1", Sender: "xavier@example.net", Recipient: "bob@example.com", Subject: "Macro inside"},
	}
}
