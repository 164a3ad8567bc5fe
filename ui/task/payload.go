package task

import (
	"github.com/a-h/templ"

	"skein.dev/skein/ui/preview"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// panelOf shows a payload: as a picture, a table or a diff if it is one, otherwise as text.
func panelOf(t *wire.Task, part, word string, p *wire.Payload) panelView {
	v := panelView{Part: part, Word: word, URL: words.TaskURL(t.ID) + "/" + part, Done: -1}
	if p == nil || words.PayloadSize(p) == 0 {
		return v
	}
	v.Size = words.PayloadSize(p)
	v.Note = words.Bytes(int64(v.Size))
	if p.Base64 == nil {
		pretty, ok := words.Pretty(p.Text)
		if ok {
			v.Note = "JSON, " + v.Note
		}
		v.Text = words.Plain(pretty)
	}
	v.Preview = previewOf(p.Bytes(), v.Text)
	if v.Preview != nil && v.Preview.As != preview.Picture {
		v.Note = v.Preview.Summary() + ", " + v.Note
	}
	return v
}

// maxRich bounds the HTML of a payload that is shown as something else than text, in bytes: that of the page must fit a message.
const maxRich = 256 << 10

// previewOf returns a preview of bytes that are a picture, a table or a diff; nil for others. text is what else is shown of them.
func previewOf(b []byte, text string) *preview.Preview {
	form := preview.Sniff("", "", b[:min(len(b), preview.HeadBytes)])
	p := preview.Of(preview.Source{Size: int64(len(b)), Bytes: b, Form: form}, "")
	html := len(templ.EscapeString(text))
	switch p.As {
	case preview.Picture:
	case preview.TableKind:
		html += tableHTML(&p.Table)
	case preview.Diff:
		html += diffHTML(&p)
	default:
		return nil
	}
	if html > maxRich {
		return nil
	}
	return &p
}

// tableHTML estimates how much HTML a table becomes, in bytes.
func tableHTML(t *preview.Table) (n int) {
	for _, row := range append(t.Rows, t.Head) {
		n += 60
		for _, cell := range row {
			n += 32 + len(templ.EscapeString(cell))
		}
	}
	return n
}

// diffHTML estimates how much HTML a diff becomes, in bytes.
func diffHTML(p *preview.Preview) (n int) {
	for i := range p.Diff {
		n += 400
		for _, r := range p.Diff[i].Rows {
			n += 200 + len(templ.EscapeString(r.Text))
		}
	}
	return n
}
