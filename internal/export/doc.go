// Package export is a gateway's export directory as an object: what each
// collector sees of it, what each has received and acknowledged, and when the
// bytes may go.
//
// Two processes work on it and share only files:
//
//	qlogd ──seal──▶ pub/export/tracking/ ◀──read── Front (SSH server)
//	                        ▲ remove                 │ appends to journal/front/
//	                      Keeper ◀──────follows──────┘
//	                        │ appends to journal/keeper/ ──▶ followed by Front
//
// [Front] lists, hands out, takes receipts and acknowledgements, and never
// removes a byte. [Keeper] removes, and writes down that it will and why before
// it does. An acknowledgement (rm) hides a file from the collector that gave it
// and from nobody else: a second manager is redundancy, never a thief. Who may
// collect stands in collectors.json, which only an administrator's command
// writes; collectors that Front meets by itself (a known key from a new address,
// an enrolment) stand in its journal until an administrator decides on them.
//
// What holds across a crash of either process, or of the machine, at any point:
//
//   - an answer of Front (a receipt, an acknowledgement, a listing) is durable
//     when it is given;
//   - a file goes only behind a durable tombstone that says why and who had not
//     acknowledged it;
//   - a removal and a refetch that meet: each side writes its intention before
//     it reads the other's, so at least one sees the other and gives way;
//   - a journal whose end is torn or damaged costs at most lines that nobody was
//     told of.
//
// A journal is a series of segments. Each begins with the state of everything
// that is still open, so that a reader needs the newest only and memory is
// bounded by what is open, not by history; older ones are evidence, kept up to a
// size and an age.
//
// The package knows nothing of SSH, and of tracking files only their names.
package export
