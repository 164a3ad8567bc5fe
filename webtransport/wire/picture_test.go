package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// pictureOf has a line for each text; one that begins with "!" is of standard error.
func pictureOf(text string) *wire.Picture {
	p := &wire.Picture{Kind: wire.PictureLines}
	for line := range strings.FieldsSeq(text) {
		row := &wire.PictureRow{}
		if rest, is := strings.CutPrefix(line, "!"); is {
			line, row.Kind = rest, wire.RowErr
		}
		if line != "_" {
			row.Pieces = []wire.Piece{{Class: "f" + line[:1], Text: line}}
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

func textOf(p *wire.Picture) string {
	var out []string
	for _, row := range p.Rows {
		switch {
		case len(row.Pieces) == 0:
			out = append(out, "_")
		case row.Kind == wire.RowErr:
			out = append(out, "!"+row.Pieces[0].Text)
		default:
			out = append(out, row.Pieces[0].Text)
		}
	}
	return strings.Join(out, " ")
}

func TestAPictureChangesAsLittleAsNeedBe(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		from, to    string
		shift, rows int // of the change
	}{
		"one line":               {"1 2 3", "1 x 3", 0, 1},
		"it grows":               {"1 2", "1 2 3", 0, 1},
		"it scrolls":             {"1 2 3 4 5", "3 4 5 6 7", 2, 2},
		"it scrolls and changes": {"1 2 3 4 5 6", "2 3 x 5 6 7", 1, 2},
		"everything is new":      {"1 2 3 4", "a b c d", 0, 4},
		"it shrinks":             {"1 2 3", "1", 0, 0},
		"it becomes empty":       {"1 2 3", "_ _ _", 1, 2},
		"empty lines come":       {"1", "1 _ _ 2", 0, 1},
		"of another kind":        {"1 2", "1 !2", 0, 1},
		"nothing is left":        {"1 2 3", "", 0, 0},
	} {
		from, to := pictureOf(v.from), pictureOf(v.to)
		c, changed := from.To(to)
		if !changed || c.Whole || c.Shift != v.shift || len(c.Rows) != v.rows {
			t.Errorf("%s: changed %v, whole %v, shift %d, %d rows; want shift %d and %d rows", name, changed, c.Whole, c.Shift, len(c.Rows), v.shift, v.rows)
		}
		if err := from.Apply(&c); err != nil || textOf(from) != v.to {
			t.Errorf("%s: it became %q: %v", name, textOf(from), err)
		}
	}
	if _, changed := pictureOf("1 2").To(pictureOf("1 2")); changed {
		t.Error("the same picture is a change")
	}
	if c, changed := (&wire.Picture{}).To(pictureOf("1 2")); !changed || !c.Whole {
		t.Errorf("the first picture: %+v", c)
	}
}

func TestAPictureIsBounded(t *testing.T) {
	t.Parallel()
	p := &wire.Picture{Kind: wire.PictureLines}
	for range wire.MaxPictureRows {
		row := &wire.PictureRow{}
		for range wire.MaxPictureCols {
			row.Pieces = append(row.Pieces, wire.Piece{Class: "a-b a-d a-i a-u a-s a-v f15 g15", Text: strings.Repeat("🏴", 8)})
		}
		p.Rows = append(p.Rows, row)
	}
	p.Bound()
	c, _ := (&wire.Picture{}).To(p)
	if j, err := json.Marshal(c); err != nil || len(j) > wire.MaxMessage/2 || len(c.Rows) == 0 {
		t.Errorf("it has %d bytes and %d rows: %v", len(j), len(c.Rows), err)
	}
}

func TestAPictureSaysWhatIsWrongWithAChange(t *testing.T) {
	t.Parallel()
	for _, c := range []wire.PictureChange{{Count: -1}, {Count: wire.MaxPictureRows + 1}, {Shift: -1}, {Shift: 4}, {Cols: -1}, {Cols: 1001},
		{Count: 2, Rows: []wire.PlacedRow{{At: 2}}}, {Count: 2, Rows: []wire.PlacedRow{{At: -1}}}} {
		p := pictureOf("1 2 3")
		if err := p.Apply(&c); !errors.Is(err, wire.ErrPicture) || textOf(p) != "1 2 3" {
			t.Errorf("%+v: %v; it is %q", c, err, textOf(p))
		}
	}
}

func TestGlanceHeader(t *testing.T) {
	t.Parallel()
	for line, ok := range map[string]bool{
		`{"lane":"glance","agent":"a1"}`:                       true,
		`{"lane":"glance","agent":"a1","rows":60,"cols":240}`:  true,
		`{"lane":"glance"}`:                                    false,
		`{"lane":"glance","agent":"a1","rows":61}`:             false,
		`{"lane":"glance","agent":"a1","cols":241}`:            false,
		`{"lane":"glance","agent":"a1","rows":-1}`:             false,
		`{"lane":"glance","agent":"a1","rows":1.5}`:            false,
		`{"lane":"glance","agent":"a1","rows":10000000000000}`: false,
	} {
		if _, err := wire.ParseHeader([]byte(line)); (err == nil) != ok {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// FuzzPicture applies what a server may send, and checks that the difference between two pictures leads from one to the other.
func FuzzPicture(f *testing.F) {
	f.Add([]byte(`{"seq":1,"whole":true,"kind":"lines","count":2,"rows":[{"at":0,"pieces":[{"text":"a"}]},{"at":1,"kind":"err","pieces":[{"class":"f1","text":"b"}]}]}`),
		[]byte(`{"seq":2,"kind":"lines","shift":1,"count":2,"rows":[{"at":1,"pieces":[{"text":"c"}]}]}`))
	f.Add([]byte(`{"whole":true,"kind":"screen","cols":80,"count":60}`), []byte(`{"kind":"screen","cols":80,"shift":60,"count":0,"ended":true}`))
	f.Add([]byte(`{"count":-1}`), []byte(`{"count":99999999999,"rows":[{"at":-5}]}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var p wire.Picture
		for _, b := range [][]byte{first, second} {
			var c wire.PictureChange
			if json.Unmarshal(b, &c) != nil {
				continue
			}
			before := p
			if err := p.Apply(&c); err != nil {
				if !errors.Is(err, wire.ErrPicture) {
					t.Fatal(err)
				}
				continue
			}
			if len(p.Rows) != c.Count || len(p.Rows) > wire.MaxPictureRows {
				t.Fatalf("%d rows of %d", len(p.Rows), c.Count)
			}
			change, _ := before.To(&p)
			if err := before.Apply(&change); err != nil {
				t.Fatal(err)
			}
			if again, changed := before.To(&p); changed {
				t.Fatalf("it still differs: %+v", again)
			}
		}
	})
}
