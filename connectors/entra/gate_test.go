package entra

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rosterd/rosterd/connectors"
)

// TestGate: nothing goes to another place, or without a token.
func TestGate(t *testing.T) {
	t.Parallel()
	at, err := parseGraphURL("https://graph.microsoft.com")
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	g := &gate{origin: at, next: counted{&passed}}
	for url, want := range map[string]connectors.Fault{
		"https://graph.microsoft.com/v1.0/users":      "",
		"https://GRAPH.microsoft.com:443/v1.0/users":  "",
		"http://graph.microsoft.com/v1.0/users":       connectors.Broken,
		"https://graph.microsoft.com:8443/v1.0/users": connectors.Broken,
		"https://graph.microsoft.com.evil.example/":   connectors.Broken,
	} {
		for token, refused := range map[string]bool{"Bearer t": false, "": true, "Bearer ": true, "Basic t": true} {
			req := httptest.NewRequest(http.MethodGet, url, nil)
			req.Header.Set("Authorization", token)
			before := passed
			_, err := g.RoundTrip(req)
			fault := want
			if want == "" && refused {
				fault = connectors.BadCredentials
			}
			if connectors.FaultOf(err) != fault || (passed > before) != (fault == "") {
				t.Errorf("%s with %q: %v, passed on: %t", url, token, err, passed > before)
			}
		}
	}
}

type counted struct{ n *int }

func (c counted) RoundTrip(*http.Request) (*http.Response, error) {
	*c.n++
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}
