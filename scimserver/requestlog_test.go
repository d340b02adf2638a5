package scimserver_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestEveryWriteAndEveryFailureIsLoggedAtOnce(t *testing.T) {
	each(t, func(s *service) {
		agent := map[string]string{"User-Agent": "Okta SCIM Client 1.0.0"}
		made := s.send(request{method: "POST", path: "/Users?attributes=userName", body: oktaUser, header: agent})
		id := made.id()
		s.must(http.StatusOK, "GET", "/Users/"+id, "")
		s.must(http.StatusOK, "GET", "/Users", "")
		s.must(http.StatusOK, "PATCH", "/Users/"+id, patch(`{"op":"replace","path":"active","value":true}`)) // changes nothing
		s.must(http.StatusConflict, "POST", "/Users", oktaUser)
		s.must(http.StatusNotFound, "GET", "/Users/nobody", "")
		s.must(http.StatusBadRequest, "GET", "/Users"+where("userName eq"), "")
		s.must(http.StatusNoContent, "DELETE", "/Users/"+id, "")
		var got []string
		rows := s.log(s.org)
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%s %d", r.Method, r.Status))
			if r.TokenName != "idp" || r.Client != "127.0.0.1" || r.Duration <= 0 || r.Repeats != 1 || r.Time.IsZero() {
				s.Errorf("row %+v", r)
			}
		}
		if want := []string{"POST 201", "PATCH 200", "POST 409", "GET 404", "GET 400", "DELETE 204"}; !slices.Equal(got, want) {
			s.Fatalf("logged %v, want %v", got, want)
		}
		first := rows[0]
		if first.Path != "/service/v1/scim/v2/Users?attributes=userName" || first.UserAgent != agent["User-Agent"] ||
			first.ResponseBody != string(made.raw) {
			s.Errorf("logged %+v, answered %s", first, made.raw)
		}
		for _, r := range rows {
			if strings.Contains(r.RequestBody, "hunter2") {
				s.Errorf("the log shows a password: %s", r.RequestBody)
			}
		}
		if !strings.Contains(first.RequestBody, `"password":"***"`) || !strings.Contains(first.RequestBody, `"locale":"en-US"`) {
			s.Errorf("logged body %s", first.RequestBody)
		}
		if !strings.Contains(rows[2].ResponseBody, "uniqueness") || !strings.Contains(rows[2].Detail, "unclaimed") {
			s.Errorf("the conflict is logged as %+v", rows[2])
		}
	})
}

func TestNoSecretReachesTheRequestLog(t *testing.T) {
	cases := map[string]string{
		"at the top":                 `{"userName":"u@x.com","password":"hunter2"}`,
		"in another case":            `{"userName":"u@x.com","PassWord":"hunter2"}`,
		"escaped":                    `{"userName":"u@x.com","pass\u0077ord":"hunter2"}`,
		"under its URN":              `{"userName":"u@x.com","urn:ietf:params:scim:schemas:core:2.0:User:password":"hunter2"}`,
		"within an object":           `{"userName":"u@x.com","x":{"y":[{"clientSecret":{"z":"hunter2"}}]}}`,
		"as a number":                `{"userName":"u@x.com","password":4711.4711}`,
		"in an operation":            `{"Operations":[{"op":"replace","value":"hunter2","path":"password"}]}`,
		"in an operation by its URN": `{"Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:password","value":["hunter2"]}]}`,
		"in an operation's object":   `{"Operations":[{"op":"replace","value":{"password":"hunter2"}}]}`,
		"in a body that breaks off":  `{"userName":"u@x.com","password":"hunter2`,
		"in a list that breaks off":  `{"Operations":[{"op":"replace","path":"password","value":"hunter2"`,
		"without quotes":             `{"userName":"u@x.com","password":hunter2}`,
		"in a form":                  `userName=u@x.com&password=hunter2`,
		"behind a stray quote":       `{"userName: "u@x.com","password":"hunter2"}`,
		"in XML":                     `<user><password>hunter2</password></user>`,
		"in a text":                  `"password=hunter2"`,
		"in UTF-16":                  "\xff\xfe" + strings.Join(strings.Split(`{"password":"hunter2"}`, ""), "\x00") + "\x00",
		"in a path's filter":         `{"Operations":[{"op":"remove","path":"emails[password eq \"hunter2\"]"}]}`,
		"in a path as a key":         `{"userName":"u@x.com","emails[password eq \"hunter2\"].value":"x"}`,
		"in a filter, escaped":       `{"filter":"pass\u0077ord eq \"hunter2\""}`,
	}
	each(t, func(s *service) {
		victim := s.user("p@x.com")
		for name, body := range cases {
			for _, q := range []request{{method: "POST", path: "/Users", body: body}, {method: "PATCH", path: "/Users/" + victim, body: body}} {
				before := len(s.log(s.org))
				s.send(q)
				rows := s.log(s.org)[before:]
				if len(rows) != 1 {
					s.Fatalf("%s: %d rows", name, len(rows))
				}
				all := fmt.Sprintf("%+v", rows[0])
				if strings.Contains(all, "hunter2") || strings.Contains(all, "4711.4711") || !strings.Contains(rows[0].RequestBody, "***") {
					s.Errorf("%s: %s logged as %s", name, body, rows[0].RequestBody)
				}
			}
		}
	})
}

func TestNoSecretOfAnAddressReachesTheRequestLog(t *testing.T) {
	_, token, _ := roster.MintToken()
	each(t, func(s *service) {
		for _, query := range []string{
			"access_token=hunter2", "client_secret=hunter2", "x=password:hunter2", "pass%77ord=hunter2", "password=%zzhunter2",
			"filter=password+eq+%22hunter2%22", "filter=not+(userName+eq+%22a%22+or+pass%77ord+sw+%22hunter2%22)",
			"filter=userName%20eq%20%22" + token + "%22",
		} {
			before := len(s.log(s.org))
			s.send(request{method: "GET", path: "/Users?count=1&" + query})
			s.send(request{method: "POST", path: "/Users/.search?count=1&" + query, body: `{"filter":"password eq \"hunter2\""}`})
			s.flush()
			rows := s.log(s.org)[before:]
			all := fmt.Sprintf("%+v", rows)
			if len(rows) != 2 || strings.Contains(all, "hunter2") || strings.Contains(all, token) || !strings.Contains(all, "count=1&") {
				s.Errorf("%s: logged %s", query, all)
			}
		}
		before := len(s.log(s.org))
		s.must(http.StatusOK, "GET", "/Users?filter=displayName+eq+%22the+token%22&attributes=password", "")
		s.flush()
		if row := s.log(s.org)[before]; !strings.HasSuffix(row.Path, "?filter=displayName+eq+%22the+token%22&attributes=password") {
			s.Errorf("what holds no secret is logged as %s", row.Path)
		}
	})
}

func TestWhatIsSentAsNonsenseIsLoggedAndChangesNothing(t *testing.T) {
	each(t, func(s *service) {
		_, other, _ := roster.MintToken()
		r := s.send(request{
			method: "POST", path: "/Users?access_token=sesame&x=" + other, body: "\xff\xfe\x00" + `{"userName":"u@x.com","title":"` + other + `"}`,
			header: map[string]string{"User-Agent": "bad\xff agent"},
		})
		if r.status != http.StatusBadRequest {
			s.Errorf("%d %s", r.status, r.raw)
		}
		rows := s.log(s.org)
		all := fmt.Sprintf("%+v", rows)
		if len(rows) != 1 || !utf8.ValidString(all) || strings.Contains(all, "sesame") || strings.Contains(all, other) {
			s.Errorf("logged %s", all)
		}
		made := s.send(request{method: "POST", path: "/Users", body: `{"userName":"u@x.com"}`, header: map[string]string{"User-Agent": "bad\xff agent"}})
		if made.status != http.StatusCreated {
			s.Errorf("a strange User-Agent: %d %s", made.status, made.raw)
		}
	})
}

func TestLoggedBodiesAreCutBetweenCharacters(t *testing.T) {
	each(t, func(s *service) {
		s.must(http.StatusCreated, "POST", "/Users", `{"password":"hunter2","userName":"u@x.com","nickName":"`+strings.Repeat("é", 4000)+`","x":"`+strings.Repeat("ü", 20000)+`"}`)
		got := s.log(s.org)[0].RequestBody
		if len(got) > 16<<10 || len(got) < 16<<10-8 || !utf8.ValidString(got) || !strings.HasSuffix(got, "ü…") {
			s.Errorf("logged %d bytes ending in %q", len(got), got[len(got)-8:])
		}
	})
}

func TestALargeGroupIsAnsweredWholeAndLoggedWithoutMembers(t *testing.T) {
	each(t, func(s *service) {
		const n = 1200
		changes := make([]roster.Change, n)
		for i := range changes {
			changes[i] = roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprintf("u%04d@x.com", i)}, Active: true}
		}
		var ids []string
		for _, o := range s.commit(s.org, changes...) {
			ids = append(ids, o.ID)
		}
		g := s.group("All", ids...)
		row := s.log(s.org)[0]
		if strings.Contains(row.ResponseBody, `"members"`) || !json.Valid([]byte(row.ResponseBody)) {
			s.Errorf("logged %d bytes of response", len(row.ResponseBody))
		}
		if got := s.members(g); len(got) != n {
			s.Errorf("read %d members, want %d", len(got), n)
		}
		put, _ := json.Marshal(map[string]any{"displayName": "All", "members": ids[:n-1]})
		if r := s.must(http.StatusOK, "PUT", "/Groups/"+g, string(put)); len(r.body["members"].([]any)) != n-1 {
			s.Errorf("PUT answered %d members", len(r.body["members"].([]any)))
		}
	})
}

func TestAGzippedBodyIsRead(t *testing.T) {
	each(t, func(s *service) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write([]byte(entraUser))
		_ = w.Close()
		gz := map[string]string{"Content-Encoding": "gzip"}
		if r := s.send(request{method: "POST", path: "/Users", body: packed.String(), header: gz}); r.status != http.StatusCreated {
			s.Errorf("%d %s", r.status, r.raw)
		}
		if r := s.send(request{method: "POST", path: "/Users", body: entraUser, header: gz}); r.status != http.StatusBadRequest {
			s.Errorf("not gzip at all: %d %s", r.status, r.raw)
		}
		if rows := s.log(s.org); !strings.Contains(rows[0].RequestBody, "Ada@X.com") {
			s.Errorf("logged %q", rows[0].RequestBody)
		}
	})
}
