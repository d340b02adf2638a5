package roster_test

import (
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestAnAttributeOfAnExtensionStandsUnderItsSchema(t *testing.T) {
	const urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	a := roster.Attributes{urn: map[string]any{"division": "R"}}
	a.Set(urn+":department", "Sales")
	if got := a.Get(urn + ":department"); got != "Sales" || a[urn].(map[string]any)["department"] != "Sales" || a.Get(urn+":division") != "R" {
		t.Errorf("got %v", a)
	}
	a.Set(urn+":department", "")
	a.Set(urn+":division", "")
	if len(a) != 0 {
		t.Errorf("what is empty stays: %v", a)
	}
}
