package acp

import (
	"encoding/json"
	"testing"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// TestWhatATurnHasUsed has the forms in which agents report it.
func TestWhatATurnHasUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		updates []string
		result  string
		want    wire.Spent
	}{
		"in the answer":   {nil, `{"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":2,"totalTokens":12,"cachedReadTokens":4,"thoughtTokens":1}}`, wire.Spent{Turns: 1, Input: 10, Output: 2, Cached: 4, Thought: 1}},
		"as a quota":      {nil, `{"stopReason":"end_turn","_meta":{"quota":{"token_count":{"input_tokens":7,"output_tokens":3},"model_usage":[]}}}`, wire.Spent{Turns: 1, Input: 7, Output: 3}},
		"in chunks":       {[]string{`{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":""},"_meta":{"usage":{"inputTokens":5,"outputTokens":1}}}`, `{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"a"},"_meta":{"usage":{"inputTokens":6,"outputTokens":2,"thoughtTokens":1}}}`}, `{}`, wire.Spent{Turns: 1, Input: 11, Output: 3, Thought: 1}},
		"nowhere":         {nil, `{"stopReason":"end_turn"}`, wire.Spent{Turns: 1, Unknown: 1}},
		"in another form": {[]string{`{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"a"},"_meta":{"usage":"much"}}`}, `{"usage":[1],"_meta":{"quota":7}}`, wire.Spent{Turns: 1, Unknown: 1}},
		"as nonsense":     {[]string{`{"sessionUpdate":"usage_update","used":-1,"size":1e300,"cost":{"amount":-5,"currency":"USD"}}`}, `{"usage":{"inputTokens":-10,"outputTokens":1e300}}`, wire.Spent{Turns: 1, Output: 1e12, ContextSize: 1e12}},
		"with a cost": {[]string{`{"sessionUpdate":"usage_update","used":50,"size":200,"cost":{"amount":0.5,"currency":"USD"}}`, `{"sessionUpdate":"usage_update","used":60,"size":200,"cost":{"amount":0.75,"currency":"USD"}}`}, `{"usage":{"inputTokens":1}}`,
			wire.Spent{Turns: 1, Input: 1, Cost: 0.75, Currency: "USD", Context: 60, ContextSize: 200}},
		"a context alone": {[]string{`{"sessionUpdate":"usage_update","used":50,"size":200}`}, `{"usage":{"inputTokens":1}}`, wire.Spent{Turns: 1, Input: 1, Context: 50, ContextSize: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			var got wire.Spent
			said := 0
			s := &session{tools: map[string]*tool{}, open: map[string]*permission{}, sink: func(e runner.Event) error {
				switch e := e.(type) {
				case runner.Spent:
					got = got.Plus(e.Spent)
				case runner.Output:
					said += len(e.Bytes)
				}
				return nil
			}}
			for _, u := range c.updates {
				s.updated(json.RawMessage(u))
			}
			var r promptResult
			if err := json.Unmarshal([]byte(c.result), &r); err != nil {
				t.Fatal(err)
			}
			got = got.Plus(s.bill.turn(&r))
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if name == "in another form" && said != 1 {
				t.Errorf("%d bytes were said", said)
			}
		})
	}
}
