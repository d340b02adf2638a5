package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
	patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// pushing is a SCIM client with one token.
type pushing struct {
	base, token string
	http        *http.Client
}

func (m *machine) pushing(token string) *pushing {
	return &pushing{base: m.scim, token: token, http: &http.Client{Timeout: patience}}
}

// object is a SCIM resource or message.
type object map[string]any

func (o object) text(key string) string {
	text, _ := o[key].(string)
	return text
}

// ask sends one request; an error says that no whole answer came.
func (p *pushing) ask(method, path string, body any) (int, object, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, p.base+path, content)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/scim+json")
	answer, err := p.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || len(text) == 0 {
		return answer.StatusCode, nil, err
	}
	var out object
	return answer.StatusCode, out, decodeInto(text, &out)
}

func decodeInto(text []byte, out *object) error {
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	return nil
}

// must sends one request and demands the answer's status.
func (p *pushing) must(t testing.TB, status int, method, path string, body any) object {
	t.Helper()
	got, out, err := p.ask(method, path, body)
	if err != nil || got != status {
		t.Fatalf("%s %s: %d %v (%v), want %d", method, path, got, out, err, status)
	}
	return out
}

func user(userName, displayName string) object {
	return object{
		"schemas": []string{userSchema}, "userName": userName, "displayName": displayName, "active": true,
		"emails": []object{{"type": "work", "primary": true, "value": userName}},
	}
}

func group(displayName string, members ...string) object {
	refs := []object{}
	for _, id := range members {
		refs = append(refs, object{"value": id})
	}
	return object{"schemas": []string{groupSchema}, "displayName": displayName, "members": refs}
}

func patch(operations ...object) object {
	return object{"schemas": []string{patchSchema}, "Operations": operations}
}

func replace(path string, value any) object {
	return object{"op": "replace", "path": path, "value": value}
}

// find returns the users that have a userName.
func (p *pushing) find(t testing.TB, userName string) []object {
	t.Helper()
	query := "?filter=" + strings.ReplaceAll(fmt.Sprintf("userName eq %q", userName), " ", "%20")
	list := p.must(t, http.StatusOK, "GET", "/Users"+query, nil)
	var out []object
	resources, _ := list["Resources"].([]any)
	for _, r := range resources {
		found, _ := r.(map[string]any)
		out = append(out, found)
	}
	if n, _ := list["totalResults"].(float64); int(n) != len(out) {
		t.Errorf("%s: totalResults %v, %d Resources", userName, list["totalResults"], len(out))
	}
	return out
}

// statusWithin waits until a request is answered with a status.
func (p *pushing) statusWithin(m *machine, limit time.Duration, status int, method, path string) {
	m.t.Helper()
	began, got := time.Now(), 0
	m.until(fmt.Sprintf("%s %s is answered with %d", method, path, status), func() bool {
		var err error
		got, _, err = p.ask(method, path, nil)
		return err == nil && got == status
	})
	if took := time.Since(began); took > limit {
		m.t.Errorf("%s %s: answered with %d after %s, want %s", method, path, status, took, limit)
	}
}
