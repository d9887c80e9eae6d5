package source

// What makes a run of equal lines in two pieces an overlap rather than chance.
// A flood writes the same few lines over and over within a second, and its
// lines at the end of one piece and at the beginning of the next are lines of
// their own: no run of such lines may pass.
const (
	minOverlap  = 24                  // lines that two pieces must share where neither contains the other
	minDistinct = 8                   // different lines among them
	minJoined   = 4                   // different lines that are enough where two known pieces meet
	maxShort    = 64                  // lines of a piece that counts although it shows less, when all of it is found
	ringSize    = 2 << 10             // a power of two
	lookAhead   = ringSize - maxShort // lines within which an overlap must show what it is
)

// evidence returns the length of the shortest head of lines that proves an
// overlap: long enough, with enough different lines, and not one pattern
// repeated. It is 0 when no head does.
func evidence(lines []uint64) int {
	fail := make([]int, len(lines)) // length of the longest border of each head
	var seen [minDistinct]uint64
	distinct := 0
	for i, h := range lines {
		if i > 0 {
			k := fail[i-1]
			for k > 0 && lines[k] != h {
				k = fail[k-1]
			}
			if lines[k] == h {
				k++
			}
			fail[i] = k
		}
		if distinct < minDistinct && !among(seen[:distinct], h) {
			seen[distinct] = h
			distinct++
		}
		if n := i + 1; n >= minOverlap && distinct == minDistinct && 2*fail[i] < n {
			return n
		}
	}
	return 0
}

func among(set []uint64, h uint64) bool {
	for _, x := range set {
		if x == h {
			return true
		}
	}
	return false
}

// differing counts the different lines among a few.
func differing(lines []uint64) int {
	n := 0
	for i, h := range lines {
		if !among(lines[:i], h) {
			n++
		}
	}
	return n
}

// period returns the length of the shortest pattern that lines are a
// repetition of, whole or cut short; it is their number when they are none.
func period(lines []uint64) int {
	for p := 1; p < len(lines); p++ {
		same := true
		for i := p; i < len(lines) && same; i++ {
			same = lines[i] == lines[i-p]
		}
		if same {
			return p
		}
	}
	return len(lines)
}
