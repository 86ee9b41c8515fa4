package simulator

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
)

// pdf makes a valid PDF of one page with a few lines (ISO 32000-1 section 7.5).
// The lines are printable ASCII.
func pdf(lines ...string) []byte {
	var page bytes.Buffer
	page.WriteString("BT /F1 14 Tf 72 770 Td 20 TL\n")
	for _, line := range lines {
		fmt.Fprintf(&page, "(%s) Tj T*\n", escapePDF(line))
	}
	page.WriteString("ET")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", page.Len(), page.Bytes()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var file bytes.Buffer
	file.WriteString("%PDF-1.4\n")
	places := make([]int, len(objects))
	for i, object := range objects {
		places[i] = file.Len()
		fmt.Fprintf(&file, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	table := file.Len()
	fmt.Fprintf(&file, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, place := range places {
		fmt.Fprintf(&file, "%010d 00000 n \n", place)
	}
	fmt.Fprintf(&file, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table)
	return file.Bytes()
}

func escapePDF(line string) string {
	var b bytes.Buffer
	for _, c := range []byte(line) {
		if c == '(' || c == ')' || c == '\\' {
			b.WriteByte('\\')
		}
		if c < ' ' || c > '~' {
			c = '?'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// picture makes a PNG that looks like a blurred photograph: soft colours with a
// dark stroke across.
func picture(r *rand.Rand, width, height int) []byte {
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	from := [3]int{r.IntN(120) + 100, r.IntN(120) + 100, r.IntN(120) + 100}
	to := [3]int{r.IntN(120) + 60, r.IntN(120) + 60, r.IntN(120) + 60}
	slope, start := r.Float64()-0.5, r.IntN(height)
	for y := range height {
		for x := range width {
			var c [3]uint8
			for i := range c {
				c[i] = uint8(from[i] + (to[i]-from[i])*(x+y)/(width+height))
			}
			if at := float64(start) + slope*float64(x); float64(y) > at-2 && float64(y) < at+2 {
				c = [3]uint8{40, 40, 45}
			}
			canvas.Set(x, y, color.RGBA{c[0], c[1], c[2], 255})
		}
	}
	var file bytes.Buffer
	_ = png.Encode(&file, canvas) // into memory, of a size that PNG allows
	return file.Bytes()
}

// table makes a CSV of head sizes.
func table(r *rand.Rand) []byte {
	var b bytes.Buffer
	b.WriteString("first name;class;head circumference in cm\r\n")
	for _, name := range []string{"Emre", "Lily", "Mohammed", "Zoe", "Jakub", "Ada", "Finn", "Noor", "Théo", "Mia"} {
		fmt.Fprintf(&b, "%s;5%c;%d\r\n", name, 'a'+rune(r.IntN(2)), 50+r.IntN(7))
	}
	return b.Bytes()
}
