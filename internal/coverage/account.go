package coverage

// Account is what became of the windows of a gateway, in numbers. Written =
// Stored + Accounted + Unexplained, and Written >= Sealed >= Pulled >= Stored.
// Unexplained above 0 is worth an alert.
type Account struct {
	Gateway string `json:"gateway"`
	// Written is how many windows the gateway has made since the first that was
	// taken, as its newest one and the journals tell.
	Written int `json:"written"`
	Sealed  int `json:"sealed"` // of which a file is known to have been sealed
	Pulled  int `json:"pulled"` // and copied here
	Stored  int `json:"stored"`
	// Accounted are not stored, and it is known why: a cause, or on their way.
	Accounted   int `json:"accounted"`
	Unexplained int `json:"unexplained"`
	// Causes deals Accounted and Unexplained out; "late" is on its way.
	Causes map[string]int `json:"causes,omitempty"`
}

// Account tells what became of the windows of the gateway. It is meant for a
// proof that was explained.
func (p *Proof) Account() Account {
	a := Account{Gateway: p.Gateway, Stored: p.Stored, Sealed: p.Stored, Pulled: p.Stored, Written: p.Stored}
	for i := range p.Gaps {
		g := &p.Gaps[i]
		n := g.Windows
		if g.tail { // not known to have been made
			n = 0
		}
		if n == 0 {
			continue
		}
		a.Written += n
		a.Sealed += min(n, g.sealed)
		a.Pulled += min(n, g.pulled, g.sealed)
		key := string(g.Cause)
		switch {
		case g.State == Late:
			a.Accounted += n
			key = string(Late)
		case g.Cause == Unknown:
			a.Unexplained += n
		default:
			a.Accounted += n
		}
		if a.Causes == nil {
			a.Causes = map[string]int{}
		}
		a.Causes[key] += n
	}
	return a
}
