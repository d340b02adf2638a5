package scimserver_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver"
)

func TestOneWithoutAKnownTokenIsRefusedWithoutATraceInAnyOrganisation(t *testing.T) {
	each(t, func(s *service) {
		stranger := func() string { _, plain, _ := roster.MintToken(); return plain }()
		_, key, _ := roster.MintAPIKey()
		for name, header := range map[string]string{
			"none": "", "no scheme": s.token, "another scheme": "Basic " + s.token, "no token": "Bearer ", "not one of ours": "Bearer abc",
			"one nobody made": "Bearer " + stranger, "a known id with another secret": "Bearer " + otherSecret(s.token), "an API key": "Bearer " + key, "a letter changed": "Bearer " + s.token[:40] + "aaaa" + s.token[44:],
		} {
			r := s.send(request{method: "GET", path: "/Users", token: "-", header: map[string]string{"Authorization": header}})
			challenge := r.header.Get("WWW-Authenticate")
			if r.status != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer ") || r.text("status") != "401" ||
				r.header.Get("Content-Type") != "application/scim+json" {
				s.Errorf("%s: %d %q %s", name, r.status, challenge, r.raw)
			}
		}
		if rows := s.log(s.org); len(rows) != 0 {
			s.Errorf("the request log has %+v", rows)
		}
		if got := s.scim.UnknownTokens(); got != 5 {
			s.Errorf("%d unknown tokens counted", got)
		}
		for _, secret := range []string{stranger, s.token} {
			if strings.Contains(s.logs.String(), secret[20:40]) {
				s.Errorf("the log shows a token: %s", s.logs)
			}
		}
	})
}

// otherSecret makes what somebody could who knows a token's id and how tokens are built.
func otherSecret(token string) string {
	encoding := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	raw, _ := encoding.DecodeString(strings.TrimPrefix(token, roster.TokenPrefix))
	raw = raw[:len(raw)-4]
	raw[20]++
	sum := crc32.ChecksumIEEE(append([]byte(roster.TokenPrefix), raw...))
	forged := roster.TokenPrefix + encoding.EncodeToString(binary.BigEndian.AppendUint32(raw, sum))
	if _, _, ok := roster.ParseSecret(roster.TokenPrefix, forged); !ok {
		panic("the forged token is not well formed")
	}
	return forged
}

func TestATokenPastedWithItsSchemeWorks(t *testing.T) {
	each(t, func(s *service) {
		r := s.send(request{method: "GET", path: "/Users", token: "-", header: map[string]string{"Authorization": "bearer Bearer " + s.token}})
		if r.status != http.StatusOK {
			s.Errorf("%d %s", r.status, r.raw)
		}
	})
}

func TestARefusedKnownTokenIsCountedInOneRowOfItsOrganisation(t *testing.T) {
	each(t, func(s *service) {
		plain, id := s.newToken(s.org, "second", "")
		try := func() reply {
			return s.send(request{method: "POST", path: "/Users", token: plain, body: oktaUser})
		}
		_, unknown, _ := roster.MintToken()
		stranger := s.send(request{method: "POST", path: "/Users", token: unknown, body: oktaUser})
		here, elsewhere := sources("127.0.0.0/8"), sources("192.0.2.0/24")
		for _, tc := range []struct {
			refuse, admit func()
			detail        string
		}{
			{
				func() { s.commit(s.org, roster.TokenSet{ID: id, Disabled: true}) }, func() { s.commit(s.org, roster.TokenSet{ID: id}) },
				"token second: the token is disabled",
			},
			{func() { s.now = expiry }, func() { s.now = time.Time{} }, "token second: the token expired at 2100-01-01T00:00:00Z"},
			{
				func() { s.commit(s.org, roster.OrgSCIM{}) }, func() { s.commit(s.org, roster.OrgSCIM{On: true}) },
				"token second: SCIM is switched off for this organisation",
			},
			{
				func() { s.commit(s.org, roster.TokenLimit{ID: id, Sources: &elsewhere}) }, func() { s.commit(s.org, roster.TokenLimit{ID: id, Sources: &here}) },
				"token second: the token is not taken from 127.0.0.1",
			},
		} {
			before := len(s.log(s.org))
			tc.refuse()
			for range 3 {
				r := try()
				if r.status != http.StatusUnauthorized || !bytes.Equal(r.raw, stranger.raw) ||
					r.header.Get("WWW-Authenticate") != stranger.header.Get("WWW-Authenticate") {
					s.Errorf("%s: %d %s, want what is told of an unknown token: %s", tc.detail, r.status, r.raw, stranger.raw)
				}
				s.flush()
			}
			tc.admit()
			rows := s.log(s.org)[before:]
			if len(rows) != 1 || rows[0].Repeats != 3 || rows[0].Status != http.StatusUnauthorized || rows[0].TokenName != "second" ||
				rows[0].Detail != tc.detail {
				s.Errorf("%s: logged %+v, want one row counting 3", tc.detail, rows)
			}
		}
		if r := try(); r.status != http.StatusCreated {
			s.Errorf("once everything is mended: %d %s", r.status, r.raw)
		}
	})
}

func TestDisablingATokenIsObeyedWithinASecond(t *testing.T) {
	eachWith(t, scimserver.Config{}, func(s *service) {
		_, id := s.newToken(s.org, "unused", "")
		own, _, _ := roster.ParseSecret(roster.TokenPrefix, s.token)
		s.must(http.StatusOK, "GET", "/Users", "")
		s.now = time.Now().Add(time.Second)
		s.commit(s.org, roster.TokenSet{ID: own, Disabled: true}, roster.TokenSet{ID: id, Disabled: true})
		s.must(http.StatusUnauthorized, "GET", "/Users", "")
	})
}

func TestDiscoveryIsOpenAndNothingElse(t *testing.T) {
	each(t, func(s *service) {
		for path, want := range map[string]int{
			"/ServiceProviderConfig": 200, "/ResourceTypes": 200, "/ResourceTypes/User": 200, "/Schemas": 200, "/Schemas/" + enterprise: 200,
			"/ResourceTypes/Robot": 404, "/Schemas/urn:x": 404, "/Schemas?filter=id+pr": 403, "/Users": 401, "/Groups": 401, "/Me": 401, "/": 401, "/x": 401,
		} {
			if r := s.send(request{method: "GET", path: path, token: "-"}); r.status != want {
				s.Errorf("GET %s without a token: %d %s, want %d", path, r.status, r.raw, want)
			}
		}
		r := s.do("GET", "/ServiceProviderConfig", "")
		if r.at("patch/supported") != true || r.at("bulk/supported") != true || r.at("filter/maxResults") != 1000.0 ||
			r.at("etag/supported") != true || r.at("sort/supported") != true ||
			r.at("meta/location") != s.root+"/service/v1/scim/v2/ServiceProviderConfig" {
			s.Errorf("ServiceProviderConfig: %s", r.raw)
		}
		if r := s.do("GET", "/Schemas", ""); r.body["totalResults"] != 3.0 {
			s.Errorf("Schemas: %v", r.body["totalResults"])
		}
	})
}

func TestUseOfATokenIsRememberedUntilFlushed(t *testing.T) {
	each(t, func(s *service) {
		used := func() time.Time {
			s.Helper()
			all, err := s.db.Tokens(context.Background(), s.org)
			if err != nil || len(all) != 1 {
				s.Fatal(all, err)
			}
			return all[0].LastUsedAt
		}
		s.must(http.StatusOK, "GET", "/Users", "")
		if !used().IsZero() {
			s.Error("a request wrote last_used")
		}
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.scim.FlushUsed(cancelled); err == nil {
			s.Error("a flush that can't write says nothing")
		}
		if err := s.scim.FlushUsed(context.Background()); err != nil || time.Since(used()) > time.Minute {
			s.Errorf("flushed: %v, last used %v", err, used())
		}
	})
}
