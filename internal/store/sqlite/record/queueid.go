package record

// Queue ids are the bulk of what cannot be repeated, and use few of the 256
// values of a byte: hexadecimal digits, or digits and letters.
const (
	idRaw     = 0
	idHex     = 1 // two digits a byte
	idHexOdd  = 2 // the same, the last half byte unused
	idLetters = 3 // six bits a character, filled with ones
)

func (w *writer) queueID(field int, s string) {
	if s == "" {
		return
	}
	var buf [64]byte
	w.raw(field, string(packID(buf[:0], s)))
}

func packID(dst []byte, s string) []byte {
	hex, letters := true, true
	for i := 0; i < len(s); i++ {
		c := s[i]
		digit := c >= '0' && c <= '9'
		hex = hex && (digit || c >= 'A' && c <= 'F')
		letters = letters && (digit || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z')
	}
	switch {
	case hex:
		form := byte(idHex)
		if len(s)%2 == 1 {
			form = idHexOdd
		}
		dst = append(dst, form)
		for i := 0; i < len(s); i += 2 {
			b := hexValue(s[i]) << 4
			if i+1 < len(s) {
				b |= hexValue(s[i+1])
			}
			dst = append(dst, b)
		}
		return dst
	case letters:
		dst = append(dst, idLetters)
		acc, bits := uint32(0), 0
		for i := 0; i < len(s); i++ {
			acc, bits = acc<<6|uint32(letterValue(s[i])), bits+6
			for bits >= 8 {
				bits -= 8
				dst = append(dst, byte(acc>>bits))
			}
		}
		if bits > 0 {
			dst = append(dst, byte(acc<<(8-bits))|byte(1<<(8-bits)-1))
		}
		return dst
	}
	return append(append(dst, idRaw), s...)
}

func (r *reader) queueID(form int) string {
	if form != wireBytes {
		r.fail("form of a queue id")
		return ""
	}
	b := r.bytes()
	if len(b) == 0 {
		r.fail("queue id")
		return ""
	}
	form, b = int(b[0]), b[1:]
	var buf [64]byte
	out := buf[:0]
	switch form {
	case idRaw:
		return string(b)
	case idHex, idHexOdd:
		for _, c := range b {
			out = append(out, "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
		if form == idHexOdd && len(out) > 0 {
			out = out[:len(out)-1]
		}
		return string(out)
	case idLetters:
		acc, bits := uint32(0), 0
		for _, c := range b {
			acc, bits = acc<<8|uint32(c), bits+8
			for bits >= 6 {
				bits -= 6
				if v := acc >> bits & 63; v < 62 {
					out = append(out, letters[v])
				}
			}
		}
		return string(out)
	}
	r.fail("queue id")
	return ""
}

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'A' + 10
}

func letterValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'Z':
		return c - 'A' + 10
	}
	return c - 'a' + 36
}
