package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads what engines say of a message.

// esaVerdict tells a verdict. why is kept beside it.
func (c *cursor) esaVerdict(mid, engine, word, score, why string) outcome {
	c.event(track.MessageVerdict, mid)
	c.add(track.Engine, engine)
	c.add(track.Verdict, c.lower(word))
	c.addSome(track.Score, score)
	c.addSome(track.Reason, why)
	return c.emit()
}

// judged reads a verdict behind "MID 7 WORD".
func (d *esa) judged(c *cursor, mid, word, s string) outcome {
	became := notKnown
	switch word {
	case "interim":
		if rest, ok := strings.CutPrefix(s, "verdict using engine: "); ok {
			became = d.engine(c, mid, rest)
		} else if rest, ok := strings.CutPrefix(s, "AV verdict using "); ok {
			became = d.scanner(c, mid, rest)
		}
	case "using":
		if rest, ok := strings.CutPrefix(s, "engine: "); ok {
			became = d.engine(c, mid, rest)
		}
	case "antivirus":
		verdict, why, _ := strings.Cut(s, " ")
		became = c.esaVerdict(mid, "antivirus", verdict, "", unquote(why))
	case "Brightmail":
		became = c.esaVerdict(mid, "brightmail", s, "", "")
	case "AMP":
		if rest, ok := strings.CutPrefix(s, "file reputation verdict"); ok {
			verdict, why, _ := strings.Cut(strings.TrimLeft(rest, " :"), "(")
			became = c.esaVerdict(mid, "amp", strings.TrimSpace(verdict), "", strings.TrimSuffix(why, ")"))
		}
	case "Outbreak":
		if rest, ok := strings.CutPrefix(s, "Filters: verdict "); ok {
			became = c.esaVerdict(mid, "outbreak", rest, "", "")
		}
	case "DLP":
		became = d.dlp(c, mid, s)
	case "SPF:":
		became = d.spf(c, mid, s)
	case "DKIM:":
		became = d.signature(c, mid, "dkim", s)
	case "DomainKeys:":
		became = d.signature(c, mid, "domainkeys", s)
	case "DMARC:":
		became = d.dmarc(c, mid, s)
	case "SDR:":
		became = d.sdr(c, mid, s)
	case "URL":
		became = d.url(c, mid, s)
	}
	if became == notKnown {
		return d.tell(c, mid) // a family that is known, saying something else
	}
	return became
}

// engine reads "CASE spam positive".
func (d *esa) engine(c *cursor, mid, s string) outcome {
	name, verdict, ok := strings.Cut(s, " ")
	if !ok || strings.HasSuffix(verdict, "using cached verdict") {
		return notKnown
	}
	verdict, why, _ := strings.Cut(verdict, " (")
	return c.esaVerdict(mid, c.lower(name), verdict, "", strings.TrimSuffix(why, ")"))
}

// scanner reads "Sophos CLEAN".
func (d *esa) scanner(c *cursor, mid, s string) outcome {
	name, rest, ok := strings.Cut(s, " ")
	if !ok {
		return notKnown
	}
	verdict, why, _ := strings.Cut(rest, " ")
	return c.esaVerdict(mid, c.lower(name), verdict, "", unquote(why))
}

// dlp reads "violation. Severity: LOW (Risk Factor: 15). DLP policy match:
// 'name'." and "no violation".
func (d *esa) dlp(c *cursor, mid, s string) outcome {
	verdict, rest, _ := strings.Cut(s, ".")
	if verdict != "violation" && verdict != "no violation" {
		return notKnown
	}
	score := digits(between(rest, "Risk Factor: ", ")"))
	return c.esaVerdict(mid, "dlp", verdict, score, strings.TrimSpace(rest))
}

// spf reads "mailfrom identity ann@example.com Pass (v=spf1)". The identity is
// the client's to choose; it ends at the first blank outside quotes.
func (d *esa) spf(c *cursor, mid, s string) outcome {
	which, rest, ok := strings.Cut(s, " identity ")
	if !ok {
		return notKnown
	}
	if rest != "" && rest[0] == '"' {
		if n := closingQuote(rest, 0); n > 0 {
			rest = rest[n:]
		}
	}
	_, rest, ok = strings.Cut(rest, " ")
	if !ok {
		return notKnown
	}
	verdict, why, _ := strings.Cut(rest, " ")
	return c.esaVerdict(mid, c.p.intern("spf "+which), verdict, "", why)
}

// signature reads a verdict on a signature ("pass signature verified (d=...)")
// or what came of signing ("cannot sign - no profile matches x").
func (d *esa) signature(c *cursor, mid, engine, s string) outcome {
	for _, p := range [...]string{"cannot sign", "signed", "signing", "resigning", "attempting to re-sign", "verified good", "verified bad"} {
		if why, ok := strings.CutPrefix(s, p); ok {
			return c.esaVerdict(mid, engine, p, "", strings.TrimLeft(why, " -"))
		}
	}
	verdict, why, _ := strings.Cut(s, " ")
	return c.esaVerdict(mid, engine, verdict, "", why)
}

// dmarc reads "Message from domain example.com, DMARC pass (SPF aligned True,
// DKIM aligned True)" and "Verification failed.". The domain is the sender's.
func (d *esa) dmarc(c *cursor, mid, s string) outcome {
	if rest, ok := strings.CutPrefix(s, "Verification "); ok {
		verdict, why, _ := strings.Cut(rest, " ")
		return c.esaVerdict(mid, "dmarc", strings.TrimRight(verdict, "."), "", why)
	}
	if i := strings.LastIndex(s, ", DMARC "); i >= 0 {
		verdict, why, _ := strings.Cut(s[i+len(", DMARC "):], " ")
		return c.esaVerdict(mid, "dmarc", verdict, "", why)
	}
	return notKnown
}

// sdr reads "Consolidated Sender Threat Level: Neutral, Threat Category: N/A,
// ..." (of old "Reputation") and, in front of it, the domains that were asked
// for, among which is the name that the client gave itself.
func (d *esa) sdr(c *cursor, mid, s string) outcome {
	for _, p := range [...]string{"Consolidated Sender Threat Level: ", "Consolidated Sender Reputation: "} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			verdict, why, _ := strings.Cut(rest, ", ")
			return c.esaVerdict(mid, "sdr", verdict, "", why)
		}
	}
	rest, ok := strings.CutPrefix(s, "Domains for which SDR is requested: ")
	if !ok {
		return notKnown
	}
	_, helo, ok := strings.Cut(rest, ", helo: ")
	i := strings.LastIndex(helo, ", env-from: ")
	if !ok || i < 0 {
		return notKnown
	}
	if helo = helo[:i]; helo == "Not Present" {
		return notKnown
	}
	c.event(track.MessageHeader, mid)
	c.add(track.Helo, helo)
	return c.emit()
}

// url reads "http://... has reputation 0.0 matched Condition: URL Reputation
// Rule". The address is the sender's.
func (d *esa) url(c *cursor, mid, s string) outcome {
	i := strings.LastIndex(s, " has reputation ")
	if i < 0 {
		return notKnown
	}
	score, why, _ := strings.Cut(s[i+len(" has reputation "):], " ")
	return c.esaVerdict(mid, "url reputation", "matched", reputation(score), why)
}
