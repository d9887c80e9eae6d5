package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"slices"
)

// small writes a picture with a palette: a page has few colours, and the rest are
// edges of letters, for which the nearest will do. It takes a third of the room.
func small(in []byte) ([]byte, error) {
	src, err := png.Decode(bytes.NewReader(in))
	if err != nil {
		return nil, fmt.Errorf("read the picture: %w", err)
	}
	r := src.Bounds()
	counts := make(map[color.RGBA]int)
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(src.At(x, y)).(color.RGBA) }
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	palette := paletteOf(colours, counts)
	index := make(map[color.RGBA]uint8, len(colours))
	for _, c := range colours {
		index[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(r, palette)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			out.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&b, out); err != nil {
		return nil, fmt.Errorf("write the picture: %w", err)
	}
	return b.Bytes(), nil
}

// paletteOf takes, one after the other, the colour that is shown worst by those
// taken before: by how far it is from them, and how often it is there. What has
// a colour of its own, such as a mark in a drawing, keeps it.
func paletteOf(colours []color.RGBA, counts map[color.RGBA]int) (out color.Palette) {
	far := make([]int, len(colours)) // square of the distance to the nearest taken
	for i := range far {
		far[i] = 3 * 255 * 255
	}
	for len(out) < min(len(colours), 256) {
		worst := 0
		for i, c := range colours {
			if far[i]*counts[c] > far[worst]*counts[colours[worst]] {
				worst = i
			}
		}
		w := colours[worst]
		out = append(out, w)
		for i, c := range colours {
			r, g, b := int(c.R)-int(w.R), int(c.G)-int(w.G), int(c.B)-int(w.B)
			far[i] = min(far[i], r*r+g*g+b*b)
		}
	}
	return out
}
