// Command svg draws what a terminal shows: it reads text with the colours that
// waybill uses from standard input and writes an SVG picture.
package main

import (
	"bufio"
	"fmt"
	"html"
	"os"
	"strings"

	"waybill/internal/safetext"
)

const (
	charWidth  = 8.4
	lineHeight = 19
	margin     = 18
	bar        = 34 // of the window's title
)

// inks are the colours of the escape sequences that package term writes.
var inks = map[string]string{"1": "fill:#fff;font-weight:bold", "2": "fill:#8b949e", "31": "fill:#ff7b72", "32": "fill:#7ee787", "33": "fill:#e3b341",
	"1;4": "fill:#fff;font-weight:bold;text-decoration:underline"}

func main() {
	in := bufio.NewScanner(os.Stdin)
	var lines []string
	columns := 0
	for in.Scan() {
		lines = append(lines, in.Text())
		columns = max(columns, safetext.Width(plain(in.Text())))
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	width, height := 2*margin+int(float64(columns)*charWidth), bar+2*margin+len(lines)*lineHeight
	fmt.Printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="A terminal with a search">`+"\n", width, height, width, height)
	fmt.Printf(`<rect width="%d" height="%d" rx="10" fill="#0d1117"/>`+"\n", width, height)
	for i, c := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Printf(`<circle cx="%d" cy="18" r="6" fill="%s"/>`+"\n", 22+20*i, c)
	}
	fmt.Println(`<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="#c9d1d9" xml:space="preserve">`)
	for i, l := range lines {
		draw(l, bar+margin+i*lineHeight)
	}
	fmt.Println("</g>\n</svg>")
}

// draw writes one line, each run of one colour at its own column so that the
// font of the reader cannot shift it.
func draw(line string, y int) {
	column, ink := 0, ""
	for part := range strings.SplitSeq(line, "\x1b[") {
		if code, rest, ok := strings.Cut(part, "m"); ok && part != line && strings.Trim(code, "0123456789;") == "" {
			ink, part = inks[code], rest
		}
		if strings.TrimSpace(part) != "" {
			style := ""
			if ink != "" {
				style = fmt.Sprintf(` style="%s"`, ink)
			}
			fmt.Printf(`<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n", margin+float64(column)*charWidth, y,
				float64(safetext.Width(part))*charWidth, style, html.EscapeString(part))
		}
		column += safetext.Width(part)
	}
}

func plain(line string) string {
	var b strings.Builder
	for i, part := range strings.Split(line, "\x1b[") {
		if _, rest, ok := strings.Cut(part, "m"); ok && i > 0 {
			part = rest
		}
		b.WriteString(part)
	}
	return b.String()
}
