package scimserver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
	"github.com/rosterd/rosterd/scimserver"
)

func (s *service) flush() {
	s.Helper()
	if err := s.scim.FlushLog(context.Background()); err != nil {
		s.Fatal(err)
	}
}

func sources(texts ...string) []netip.Prefix {
	out, err := roster.ParseSources(texts)
	if err != nil {
		panic(err)
	}
	return out
}

func TestAReadIsLoggedBehindItsBack(t *testing.T) {
	each(t, func(s *service) {
		id := s.user("ada@x.com")
		made := len(s.log(s.org))
		s.must(http.StatusOK, "GET", "/Users/"+id, "")
		s.send(request{method: "GET", path: "/Users" + where(`userName eq "nobody"`) + "&access_token=sesame", header: map[string]string{"User-Agent": "idp " + s.token}})
		s.must(http.StatusOK, "GET", "/Groups", "")
		s.must(http.StatusOK, "HEAD", "/Users", "")
		s.must(http.StatusOK, "GET", "/Schemas", "")                                    // needs no token, and says whose it is
		s.send(request{method: "GET", path: "/ResourceTypes", token: "-"})              // nobody's
		s.send(request{method: "GET", path: "/ResourceTypes", token: "rst_of_nobody_"}) // nobody's either
		s.send(request{method: "GET", path: "/ResourceTypes", token: otherSecret(s.token)})
		s.must(http.StatusNoContent, "OPTIONS", "/Users", "")
		if rows := s.log(s.org); len(rows) != made {
			s.Errorf("a read wrote %+v", rows[made:])
		}
		s.flush()
		s.flush() // writes nothing twice
		rows := s.log(s.org)[made:]
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%s %d", r.Method, r.Status))
			if r.TokenName != "idp" || r.Client != "127.0.0.1" || r.Duration <= 0 || r.Repeats != 1 || time.Since(r.Time).Abs() > time.Minute {
				s.Errorf("logged %+v", r)
			}
		}
		if want := []string{"GET 200", "GET 200", "GET 200", "HEAD 200", "GET 200", "OPTIONS 204"}; !slices.Equal(got, want) {
			s.Fatalf("logged %v, want %v", got, want)
		}
		if !strings.Contains(rows[0].ResponseBody, "ada@x.com") || rows[0].Path != "/service/v1/scim/v2/Users/"+id {
			s.Errorf("logged %+v", rows[0])
		}
		look := rows[1]
		if !strings.Contains(look.ResponseBody, `"totalResults":0`) || !strings.Contains(look.Path, "filter=userName") {
			s.Errorf("logged %+v", look)
		}
		if all := fmt.Sprint(look); strings.Contains(all, "sesame") || strings.Contains(all, s.token[10:30]) {
			s.Errorf("a secret is logged: %s", all)
		}
		if n := len(rows[4].ResponseBody); n > 1024 || n < 1000 {
			s.Errorf("%d bytes of a long answer are kept", n)
		}
	})
}

func TestReadsCanBeLeftOutOfTheLog(t *testing.T) {
	eachWith(t, scimserver.Config{SkipReads: true}, func(s *service) {
		s.must(http.StatusOK, "GET", "/Users", "")
		s.must(http.StatusNotFound, "GET", "/Users/nobody", "")
		s.flush()
		if rows := s.log(s.org); len(rows) != 1 || rows[0].Status != http.StatusNotFound {
			s.Errorf("logged %+v", rows)
		}
	})
}

func TestReadsBeyondWhatCanBeWrittenAreCounted(t *testing.T) {
	each(t, func(s *service) {
		const n, room = 4196, 4096
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for range n / 4 {
					s.must(http.StatusOK, "GET", "/Users?count=0", "")
				}
			})
		}
		clients.Wait()
		if got := s.scim.DroppedReads(); got != n-room {
			s.Errorf("%d dropped, want %d", got, n-room)
		}
		s.flush()
		rows, counted, said := 0, 0, ""
		for after := ""; ; {
			page, next, err := s.db.Requests(context.Background(), s.org, store.RequestFilter{}, store.List{After: after})
			if err != nil {
				s.Fatal(err)
			}
			for _, r := range page {
				rows, counted = rows+1, counted+r.Repeats
				if r.Repeats > 1 {
					said = r.Detail
				}
			}
			if after = next; next == "" {
				break
			}
		}
		if rows != room+1 || counted != n || !strings.Contains(said, "100 reads are not logged one by one") {
			s.Errorf("%d rows count %d reads and say %q", rows, counted, said)
		}
	})
}

func TestWhatCantBeLoggedNowIsLoggedLater(t *testing.T) {
	each(t, func(s *service) {
		s.must(http.StatusOK, "GET", "/Users", "")
		plain, other := s.newToken(s.org, "second", "")
		s.commit(s.org, roster.TokenSet{ID: other, Disabled: true})
		s.send(request{method: "GET", path: "/Users", token: plain})
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.scim.FlushLog(cancelled); err == nil {
			s.Error("a flush that can't write says nothing")
		}
		s.send(request{method: "GET", path: "/Users", token: plain})
		s.flush()
		rows := s.log(s.org)
		if len(rows) != 2 || rows[0].Status != http.StatusOK || rows[1].Status != http.StatusUnauthorized || rows[1].Repeats != 2 {
			s.Errorf("logged %+v", rows)
		}
	})
}

func TestKeepLogWritesWhatIsLeftAtTheEnd(t *testing.T) {
	each(t, func(s *service) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { s.scim.KeepLog(ctx); close(done) }()
		s.must(http.StatusOK, "GET", "/Users", "")
		cancel()
		<-done
		if rows := s.log(s.org); len(rows) != 1 {
			s.Errorf("logged %+v", rows)
		}
	})
}

func TestATokensRateIsKeptAndSaid(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	each(t, func(s *service) {
		s.now = clock
		plain, id := s.newToken(s.org, "metered", "")
		rate := 25
		s.commit(s.org, roster.TokenLimit{ID: id, Rate: &rate})
		burst := func() (taken int, last reply) {
			for range 40 {
				r := s.send(request{method: "GET", path: "/Users?count=0", token: plain})
				if r.status == http.StatusOK {
					taken++
				} else {
					last = r
				}
			}
			return taken, last
		}
		taken, last := burst()
		if taken != 25 || last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") != "1" || last.text("status") != "429" ||
			!strings.Contains(last.text("detail"), "25 requests a second") || last.header.Get("Content-Type") != "application/scim+json" {
			s.Errorf("%d taken at once; then %d %v %s", taken, last.status, last.header, last.raw)
		}
		s.now = clock.Add(time.Second)
		if taken, _ := burst(); taken != 25 {
			s.Errorf("%d taken a second later, want 25", taken)
		}
		if r := s.do("GET", "/Users?count=0", ""); r.status != http.StatusOK {
			s.Errorf("another token is refused: %d", r.status)
		}
		s.flush()
		var refused []roster.Request
		for _, r := range s.log(s.org) {
			if r.Status == http.StatusTooManyRequests {
				refused = append(refused, r)
			}
		}
		if len(refused) != 1 || refused[0].Repeats != 30 || refused[0].TokenName != "metered" {
			s.Errorf("logged %+v, want one row counting 30", refused)
		}
		off := 0
		s.commit(s.org, roster.TokenLimit{ID: id, Rate: &off})
		if taken, _ := burst(); taken != 40 {
			s.Errorf("%d taken without a rate", taken)
		}
	})
}

func TestARotationHasNoGap(t *testing.T) {
	each(t, func(s *service) {
		first, id := s.newToken(s.org, "first", "")
		second, _ := s.newToken(s.org, "second", "")
		ada := s.send(request{method: "POST", path: "/Users", token: first, body: `{"userName":"ada@x.com"}`}).id()
		for i, token := range []string{first, second, first} {
			body := patch(fmt.Sprintf(`{"op":"replace","path":"title","value":"%d"}`, i))
			if r := s.send(request{method: "PATCH", path: "/Users/" + ada, token: token, body: body}); r.status != http.StatusOK {
				s.Errorf("both are in use: %d %s", r.status, r.raw)
			}
		}
		s.commit(s.org, roster.TokenDelete{ID: id})
		for token, want := range map[string]int{first: http.StatusUnauthorized, second: http.StatusOK} {
			if r := s.send(request{method: "GET", path: "/Users/" + ada, token: token}); r.status != want {
				s.Errorf("after the first was deleted: %d, want %d", r.status, want)
			}
		}
	})
}

// Two replicas, each with its own handle on the database: what one disables the other refuses within a second.
func TestADisabledTokenIsRefusedByAnotherReplicaWithinASecond(t *testing.T) {
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		db, other := storetest.Open(t, d), storetest.Open(t, d)
		var mu sync.Mutex
		now := time.Now()
		s := &service{T: t, db: db, roster: roster.New(db)}
		var err error
		if s.scim, err = scimserver.New(scimserver.Config{
			Roster: s.roster, Store: db, Log: slog.New(slog.DiscardHandler),
			Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		}); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(s.scim)
		t.Cleanup(server.Close)
		s.root = server.URL
		s.org = s.newOrg("acme")
		var id string
		s.token, id = s.newToken(s.org, "idp", "")
		s.must(http.StatusOK, "GET", "/Users", "")
		for name, change := range map[string]roster.Change{"disabled": roster.TokenSet{ID: id, Disabled: true}, "SCIM off": roster.OrgSCIM{}} {
			if _, err := roster.New(other).Commit(t.Context(), s.org, roster.Cause{Atomic: true}, []roster.Change{change}); err != nil {
				t.Fatal(name, err)
			}
			mu.Lock()
			now = now.Add(time.Second)
			mu.Unlock()
			s.must(http.StatusUnauthorized, "GET", "/Users", "")
			s.commit(s.org, roster.TokenSet{ID: id}, roster.OrgSCIM{On: true})
			mu.Lock()
			now = now.Add(time.Second)
			mu.Unlock()
			s.must(http.StatusOK, "GET", "/Users", "")
		}
	})
}

func TestUnknownTokensGiveFewLines(t *testing.T) {
	each(t, func(s *service) {
		s.now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for range 50 {
			_, unknown, _ := roster.MintToken()
			s.send(request{method: "GET", path: "/Users", token: unknown})
		}
		if n := strings.Count(s.logs.String(), "SCIM token refused"); n != 10 {
			s.Errorf("%d lines for 50 requests within a second, want 10", n)
		}
		s.now = s.now.Add(time.Second)
		_, unknown, _ := roster.MintToken()
		s.send(request{method: "GET", path: "/Users", token: unknown})
		if !strings.Contains(s.logs.String(), "refused_without_a_line=40") || s.scim.UnknownTokens() != 51 {
			s.Errorf("%d counted; the log: %s", s.scim.UnknownTokens(), s.logs)
		}
		s.flush()
		if rows := s.log(s.org); len(rows) != 0 {
			s.Errorf("logged for an organisation: %+v", rows)
		}
	})
}

func TestTheLogSaysWhatWasTolerated(t *testing.T) {
	each(t, func(s *service) {
		id := s.user("ada@x.com")
		type q = request
		twice := map[string]string{"Authorization": "Bearer Bearer " + s.token}
		for _, tc := range []struct {
			q    q
			want string
		}{
			{q{method: "PATCH", path: "/Users/" + id, body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`}, "capitalised op, boolean in quotes"},
			{q{method: "GET", path: "//Users"}, "double slash"},
			{q{method: "GET", path: "/Users/"}, "slash at the end"},
			{q{method: "GET", path: "/Users", token: "-", header: twice}, "Bearer twice"},
			{q{method: "GET", path: "/Users"}, ""},
			{q{method: "POST", path: "//Groups", body: `{"displayName":"x"}`, header: map[string]string{"Content-Type": ""}}, "double slash, no Content-Type, no schemas"},
			{q{method: "POST", path: "/Users", body: `{"userName":"ada@x.com"}`}, "no schemas"}, // a conflict
			{q{method: "GET", path: "//Users/nobody"}, "double slash"},                          // not found
		} {
			s.send(tc.q)
			s.flush()
			rows := s.log(s.org)
			if got := rows[len(rows)-1]; got.Quirk != tc.want {
				s.Errorf("%s %s %s: %q, want %q", tc.q.method, tc.q.path, tc.q.body, got.Quirk, tc.want)
			}
		}
	})
}

// breaking is a connection that breaks after the first piece of an answer.
type breaking struct {
	http.ResponseWriter
	pieces int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.pieces++; b.pieces > 1 {
		return 0, errors.New("broken")
	}
	return b.ResponseWriter.Write(p)
}

func TestAnAnswerThatIsCutOffIsLoggedAsThat(t *testing.T) {
	each(t, func(s *service) {
		const n = 1500
		changes := make([]roster.Change, n)
		for i := range changes {
			changes[i] = roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprintf("u%04d@x.com", i)}, Active: true}
		}
		var ids []string
		for _, o := range s.commit(s.org, changes...) {
			ids = append(ids, o.ID)
		}
		group := s.group("All", ids...)
		r := httptest.NewRequest(http.MethodGet, "/scim/v2/Groups/"+group, nil)
		r.Header.Set("Authorization", "Bearer "+s.token)
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
					s.Errorf("ended with %v", p)
				}
			}()
			s.scim.ServeHTTP(&breaking{ResponseWriter: httptest.NewRecorder()}, r)
		}()
		s.flush()
		rows := s.log(s.org)
		if last := rows[len(rows)-1]; last.Method != "GET" || !strings.Contains(last.Detail, "cut off") {
			s.Errorf("logged %+v", last)
		}
	})
}
