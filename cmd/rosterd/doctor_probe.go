package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// probe is one request of an identity provider's connection test.
type probe struct {
	only  string // the identity provider
	check string
	path  string
	// within is how long the answer may take; 0: as long as it likes.
	within time.Duration
	// empty: nothing may be found.
	empty bool
}

// probes are what Entra's Test Connection and Okta's connector test send.
func probes() []probe {
	nobody := url.PathEscape(fmt.Sprintf("userName eq %q", uuid.NewString()))
	return []probe{
		{only: entra, check: "Entra: GET /Users?filter=userName eq", path: "/Users?filter=" + nobody, empty: true},
		{only: entra, check: "Entra: the same with a slash", path: "/Users/?filter=" + nobody, empty: true},
		{only: entra, check: "Entra: the same with //Users", path: "//Users?filter=" + nobody, empty: true},
		{only: okta, check: "Okta: GET /Users?startIndex=1&count=2", path: "/Users?startIndex=1&count=2", within: oktaWithin},
		{only: okta, check: "Okta: GET /Groups?count=100", path: "/Groups?count=100&startIndex=1", within: oktaWithin},
	}
}

// probe sends what the connection tests send, and with --write what comes after them.
func (x *examination) probe(ctx context.Context) {
	for _, p := range probes() {
		a, err := x.send(ctx, http.MethodGet, x.target.base+p.path, x.token, nil)
		if err == nil && p.within > 0 && a.took > p.within { // perhaps it was cold
			a, err = x.send(ctx, http.MethodGet, x.target.base+p.path, x.token, nil)
		}
		f := finding{Check: p.check, State: stateOK, only: p.only, probe: true}
		if err != nil {
			f.State, f.Text, f.Fix = stateFail, "no answer: "+err.Error(), "see the log of rosterd, or of the proxy before it"
		} else if f.Text, f.Fix = p.judge(a); f.Fix != "" {
			f.State = stateFail
		}
		x.add(f)
	}
	if x.given.write {
		x.writeAndDelete(ctx)
	}
}

// listResponse is what must be in the answer to a list (RFC 7644, section 3.4.2), as Okta reads it.
type listResponse struct {
	Schemas      []string           `json:"schemas"`
	TotalResults *int               `json:"totalResults"`
	StartIndex   *int               `json:"startIndex"`
	ItemsPerPage *int               `json:"itemsPerPage"`
	Resources    *[]json.RawMessage `json:"Resources"`
}

// judge says what came back; with a way out where the test would fail.
func (p *probe) judge(a *answered) (text, fix string) {
	said := fmt.Sprintf("%d in %s", a.status, milliseconds(a.took))
	if a.status != http.StatusOK {
		return refusedText(a), refusedFix(a)
	}
	var list listResponse
	err := json.Unmarshal(a.body, &list)
	proxied := "see what stands before rosterd: it answers otherwise"
	switch {
	case a.kind() != "application/scim+json" && a.kind() != "application/json":
		return said + ", of type " + orDash(a.kind()), proxied
	case err != nil || len(list.Schemas) == 0 || !strings.HasSuffix(list.Schemas[0], ":ListResponse"):
		return said + ", but not a ListResponse", proxied
	case list.TotalResults == nil || list.Resources == nil:
		return said + ", without totalResults and Resources", proxied
	case p.only == okta && (list.StartIndex == nil || list.ItemsPerPage == nil):
		return said + ", without startIndex and itemsPerPage", proxied
	case p.empty && *list.TotalResults != 0:
		return fmt.Sprintf("%s, and finds %d users whom nobody knows: the query got lost", said, *list.TotalResults), "have the proxy pass the query on as it is"
	case p.within > 0 && a.took > p.within:
		return said + ": Okta's test allows " + milliseconds(p.within), "see what takes the time: the network, the proxy, or the database"
	}
	return said, ""
}

// refusedText says how a request was refused, with what the service says of it.
func refusedText(a *answered) string {
	var e struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(a.body, &e) == nil && e.Detail != "" {
		return fmt.Sprintf("%d: %s", a.status, e.Detail)
	}
	return fmt.Sprintf("%d, of type %s", a.status, orDash(a.kind()))
}

func refusedFix(a *answered) string {
	switch {
	case a.status == http.StatusUnauthorized && strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer realm="rosterd", error=`):
		return "see what is said of the token above, and rosterd requests list --status 401"
	case a.status == http.StatusUnauthorized:
		return "see to it that the proxy passes the Authorization header on"
	case a.status >= 300 && a.status < 400:
		return "have the proxy pass the path on as it is, without a redirect (nginx: merge_slashes off)"
	case a.status == http.StatusTooManyRequests:
		return "raise the token's rate: rosterd token limit"
	case a.status >= http.StatusInternalServerError:
		return "see the log of rosterd, or of the proxy before it"
	}
	return "have the proxy pass the path on as it is"
}

// writeAndDelete makes a user, changes it as Entra does, and takes it away again.
func (x *examination) writeAndDelete(ctx context.Context) {
	const check = "write"
	name := "rosterd-doctor-" + uuid.NewString() + "@example.invalid"
	a, err := x.send(ctx, http.MethodPost, x.target.base+"/Users", x.token, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": name, "active": true, "displayName": "rosterd doctor",
	})
	if err != nil || a.status != http.StatusCreated {
		x.refused(check, "make a user", a, err)
		return
	}
	var made struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(a.body, &made) != nil || made.ID == "" {
		x.fail(check, "the answer to a new user has no id", "see what stands before rosterd: it answers otherwise")
		return
	}
	user := x.target.base + "/Users/" + url.PathEscape(made.ID)
	works := x.step(ctx, "deactivate the user", http.StatusOK, http.MethodPatch, user, map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []map[string]any{{"op": "Replace", "path": "active", "value": "False"}},
	})
	works = works && x.step(ctx, "read the user", http.StatusOK, http.MethodGet, user, nil)
	// It goes in any case: nobody else removes it.
	clean := context.WithoutCancel(ctx)
	if x.step(clean, "delete the user "+name, http.StatusNoContent, http.MethodDelete, user, nil) && works {
		x.ok(check, "a user was made, deactivated, read and deleted")
	}
}

func (x *examination) step(ctx context.Context, what string, status int, method, address string, body any) bool {
	a, err := x.send(ctx, method, address, x.token, body)
	if err != nil || a.status != status {
		x.refused("write", what, a, err)
		return false
	}
	return true
}

func (x *examination) refused(check, what string, a *answered, err error) {
	if err != nil {
		x.fail(check, "could not "+what+": "+err.Error(), "see the log of rosterd, or of the proxy before it")
		return
	}
	fix := refusedFix(a)
	if a.status == http.StatusForbidden || a.status == http.StatusMethodNotAllowed {
		fix = "have the proxy let POST, PATCH, PUT and DELETE pass"
	}
	x.fail(check, "could not "+what+": "+refusedText(a), fix)
}
