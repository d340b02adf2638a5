package roster_test

import (
	"encoding/json"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

// foldEvents rebuilds an object from its change events.
func foldEvents(t *testing.T, events []roster.Event, id string) map[string]any {
	t.Helper()
	doc := map[string]any{}
	for _, e := range events {
		if e.Subject.ID != id {
			continue
		}
		var after map[string]any
		if err := json.Unmarshal(e.After, &after); err != nil {
			t.Fatal(err)
		}
		for k, v := range after {
			if v == nil {
				delete(doc, k)
				continue
			}
			doc[k] = v
		}
	}
	return doc
}
