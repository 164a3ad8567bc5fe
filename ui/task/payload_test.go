package task

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/preview"
	"skein.dev/skein/webtransport/wire"
)

const (
	tinyPNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	aDiff   = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+<b>\n"
)

func TestResultsAreShownAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result   wire.Payload
		as       preview.Kind // "": text
		note     string
		want     []string
		wantsNot string
	}{
		"text":             {wire.Payload{Text: "hello <b>"}, "", "9 B", []string{"hello &lt;b&gt;"}, "As text"},
		"JSON":             {wire.Payload{Text: `{"a":1}`}, "", "JSON, 7 B", []string{`&#34;a&#34;: 1`}, "As text"},
		"a list":           {wire.Payload{Text: `[{"a":1,"b":"<i>"},{"a":2}]`}, preview.TableKind, "2 rows, JSON, 27 B", []string{"<th scope", ">&lt;i&gt;</td>", "As text"}, "<i>"},
		"a table":          {wire.Payload{Text: "name,score\nfox,3\nowl,17\n"}, preview.TableKind, "2 rows, 24 B", []string{">owl</td>", "As text"}, ""},
		"prose":            {wire.Payload{Text: "One, two\nThree, four\nFive, six\n"}, "", "31 B", nil, "<td"},
		"a diff":           {wire.Payload{Text: aDiff}, preview.Diff, fmt.Sprintf("1 file, %d B", len(aDiff)), []string{`data-op="+"`, "&lt;b&gt;"}, "<b>"},
		"a picture":        {wire.Payload{Base64: []byte(tinyPNG)}, preview.Picture, "16 B", []string{`<img src="/tasks/tabc/result/view" alt="Result"`}, "As text"},
		"a PDF":            {wire.Payload{Base64: []byte("%PDF-1.4\x00")}, "", "9 B", []string{"These bytes are not text."}, "pdf"},
		"bytes":            {wire.Payload{Base64: []byte{0, 1, 2}}, "", "3 B", []string{"These bytes are not text."}, ""},
		"a list too long":  {wire.Payload{Text: "[" + strings.Repeat(`{"a":1},`, 9000) + `{}]`}, "", "JSON, 70 KiB", nil, "<td"},
		"a list too wide":  {wire.Payload{Text: `[{` + keys(60) + `}` + strings.Repeat(`,{}`, 400) + `]`}, "", "", nil, "<td"},
		"a diff too long":  {wire.Payload{Text: "--- a/x\n+++ b/x\n@@ -1,0 +1,9000 @@\n" + strings.Repeat("+\n", 9000)}, "", "", nil, "data-op"},
		"SVG":              {wire.Payload{Text: `<svg onload="alert(1)"/>`}, preview.Picture, "24 B", []string{`<img src="/tasks/tabc/result/view"`, "As text"}, "<svg onload"},
		"a page":           {wire.Payload{Text: `<script>alert(1)</script>`}, "", "25 B", nil, "<script>"},
		"colours":          {wire.Payload{Text: "\x1b[31mred\x1b[0m"}, "", "12 B", []string{"red"}, "\x1b"},
		"broken JSON":      {wire.Payload{Text: `[{"a":1},`}, "", "9 B", []string{`[{&#34;a&#34;:1},`}, "<td"},
		"a list of values": {wire.Payload{Text: `[1,{"a":2}]`}, "", "JSON, 11 B", nil, "<td"},
	} {
		task := wire.Task{ID: "tabc", State: wire.TaskCompleted, Result: &c.result}
		v := resultPanel(&task, frame.StoryNow)
		as := preview.Kind("")
		if v.Preview != nil {
			as = v.Preview.As
		}
		if as != c.as || c.note != "" && v.Note != c.note {
			t.Errorf("%s is shown as %q, %q", name, as, v.Note)
		}
		var b strings.Builder
		if err := payloadPanel(v).Render(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: there is no %q in %s", name, want, b.String())
			}
		}
		if c.wantsNot != "" && strings.Contains(b.String(), c.wantsNot) {
			t.Errorf("%s: there is %q in %s", name, c.wantsNot, b.String())
		}
	}
}

func keys(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	return strings.Join(all, ",")
}

// The HTML of a page must fit a message, whatever the result is (maxHTML in server/web).
func TestRichResultsFitAMessage(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"cells": "[" + strings.Repeat(`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6},`, 499) + `{}]`,
		"long":  "a,b\n" + strings.Repeat(strings.Repeat("<", 250)+",<\n", 200),
		"rows":  "--- a/x\n+++ b/x\n@@ -1,0 +1,790 @@\n" + strings.Repeat("+"+strings.Repeat("<", 60)+"\n", 790),
	} {
		task := wire.Task{ID: "tabc", State: wire.TaskCompleted, Result: &wire.Payload{Text: text}}
		v := resultPanel(&task, frame.StoryNow)
		var b strings.Builder
		if err := payloadPanel(v).Render(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		if b.Len() > maxRich+4<<10 || (v.Preview != nil) != (name == "cells") {
			t.Errorf("%s: %d bytes become %d, a preview: %v", name, len(text), b.Len(), v.Preview != nil)
		}
	}
}
