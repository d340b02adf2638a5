package scimserver_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConditionalGet(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		g := s.group("Eng", ada)
		for _, path := range []string{"/Users/" + ada, "/Groups/" + g, "/Groups/" + g + "?excludedAttributes=members"} {
			first := s.must(http.StatusOK, "GET", path, "")
			tag := first.header.Get("ETag")
			if tag != first.at("meta/version") || !strings.HasPrefix(tag, `W/"`) {
				s.Errorf("%s: ETag %s, version %v", path, tag, first.at("meta/version"))
			}
			for header, same := range map[string]bool{
				tag: true, strings.TrimPrefix(tag, "W/"): true, "*": true, `"x", ` + tag: true, `W/"99"`: false, `"x"`: false, "": false,
			} {
				for _, method := range []string{"GET", "HEAD"} {
					r := s.send(request{method: method, path: path, header: map[string]string{"If-None-Match": header}})
					want := map[bool]int{true: http.StatusNotModified, false: http.StatusOK}[same]
					if r.status != want || r.header.Get("ETag") != tag || same && (len(r.raw) > 0 || r.header.Get("Content-Type") != "") {
						s.Errorf("%s %s If-None-Match %s: %d %v %s", method, path, header, r.status, r.header, r.raw)
					}
				}
			}
		}
		if r := s.send(request{method: "GET", path: "/Users", header: map[string]string{"If-None-Match": "*"}}); r.status != http.StatusOK {
			s.Errorf("a list has no version: %d", r.status)
		}
		s.must(http.StatusOK, "PATCH", "/Users/"+ada, patch(`{"op":"replace","path":"title","value":"x"}`))
		if r := s.send(request{method: "GET", path: "/Users/" + ada, header: map[string]string{"If-None-Match": `W/"1"`}}); r.status != http.StatusOK || r.header.Get("ETag") != `W/"2"` {
			s.Errorf("after a change: %d %s", r.status, r.header.Get("ETag"))
		}
	})
}

func TestAnswersArePackedForThoseWhoAsk(t *testing.T) {
	each(t, func(s *service) {
		var members []string
		for i := range 40 {
			members = append(members, s.user(fmt.Sprintf("user%d@example.com", i)))
		}
		g := s.group("Eng", members...)
		for _, path := range []string{"/Users", "/Groups", "/Groups/" + g, "/Schemas", "/Users/" + members[0], "/Users/nobody"} {
			plain := s.send(request{method: "GET", path: path, base: "/scim/v2", header: map[string]string{"Accept-Encoding": "identity"}})
			for encoding, wanted := range map[string]bool{
				"gzip": true, "deflate, GZIP;q=0.5": true, "*": true, "gzip;q=0": false, "br": false, "gzip;q=0, *": false, "*;q=0": false, "identity": false,
			} {
				r := s.raw("GET", path, map[string]string{"Accept-Encoding": encoding})
				packed := r.Header.Get("Content-Encoding") == "gzip"
				body, err := io.ReadAll(r.Body)
				if err != nil {
					s.Fatal(err)
				}
				if packed {
					body = unpack(s, body)
				}
				if packed != (wanted && len(plain.raw) > 2000) || !bytes.Equal(body, plain.raw) || r.Header.Get("Vary") != "Accept-Encoding" {
					s.Errorf("%s, Accept-Encoding %q: %d bytes, %v", path, encoding, len(body), r.Header)
				}
			}
		}
		if r := s.raw("HEAD", "/Users", map[string]string{"Accept-Encoding": "gzip"}); r.Header.Get("Content-Encoding") != "" {
			s.Errorf("HEAD: %v", r.Header)
		}
	})
}

func unpack(s *service, body []byte) []byte {
	s.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	out, err := io.ReadAll(zr)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// raw sends a request and returns the answer as it came.
func (s *service) raw(method, path string, header map[string]string) *http.Response {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.root+"/scim/v2"+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func TestWhateverIsAcceptedTheAnswerIsSCIM(t *testing.T) {
	const own, plain = "application/scim+json", "application/json"
	each(t, func(s *service) {
		for accept, want := range map[string]string{
			own: own, "*/*": own, "": own, "text/html": own, "application/xml;q=0.9": own, "nonsense": own, plain + ";q=x": own,
			"application/json, text/plain, */*": own, "application/scim+json, application/json": own, "application/json, application/*": own,
			plain: plain, "APPLICATION/JSON; charset=utf-8": plain, "application/json, */*;q=0.1": plain,
			"application/json, application/scim+json;q=0.5": plain, "application/json;q=0": own,
		} {
			for _, path := range []string{"/Users", "/Users/nobody", "/ServiceProviderConfig"} {
				r := s.send(request{method: "GET", path: path, header: map[string]string{"Accept": accept}})
				if r.status >= 406 || r.header.Get("Content-Type") != want {
					s.Errorf("%s, Accept %q: %d %v, want %s", path, accept, r.status, r.header, want)
				}
			}
		}
	})
}

func TestTheSchemasOfDiscoveryAreServedByName(t *testing.T) {
	each(t, func(s *service) {
		listed := s.must(http.StatusOK, "GET", "/Schemas", "")
		for _, name := range []string{"ServiceProviderConfig", "ResourceType", "Schema"} {
			urn := "urn:ietf:params:scim:schemas:core:2.0:" + name
			r := s.must(http.StatusOK, "GET", "/Schemas/"+urn, "")
			if r.text("id") != urn || r.at("meta/location") != s.root+"/service/v1/scim/v2/Schemas/"+urn || len(list(r.body["attributes"])) < 4 {
				s.Errorf("%s: %s", urn, r.raw)
			}
			if bytes.Contains(listed.raw, []byte(`"id":"`+urn+`"`)) {
				s.Errorf("%s is no schema of a resource, but listed", urn)
			}
		}
	})
}

func TestAddressesAsClientsWriteThem(t *testing.T) {
	each(t, func(s *service) {
		id := s.user("ada@x.com")
		for _, base := range []string{"/scim/v2", "/service/v1/scim/v2"} {
			for _, path := range []string{
				"/Users", "/Users/", "//Users", "///Users//", "/%55sers", "/Users?", "/Users/" + id, "/Users//" + id, "/Users/" + id + "/", "/Users/%30" + id[1:],
				"/Schemas", "/Schemas/", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUser",
				"/Schemas/URN:IETF:params:scim:schemas:core:2.0:user", "/ResourceTypes", "/ResourceTypes/User", "/ResourceTypes/Group", "/ServiceProviderConfig/",
			} {
				if r := s.send(request{method: "GET", path: path, base: base}); r.status != http.StatusOK {
					s.Errorf("%s%s: %d %s", base, path, r.status, r.raw)
				}
			}
		}
	})
}

func TestHostileRequestsGetAClearNo(t *testing.T) {
	each(t, func(s *service) {
		id := s.user("ada@x.com")
		long := strings.Repeat("a", 100_000)
		for _, path := range []string{
			"/Users/%00", "/Users/%ff%fe", "/Users/%2e%2e", "/Users/..%2fGroups", "/Users/../Groups/x", "/Users/" + long, "/" + long, "/Users/" + id + "/x/y/z", "/*", "/Users/*/x",
			"/Users/%252e", "/Users/'%20OR%201=1--", "/Schemas/%00", "/Schemas/" + long, "/ResourceTypes/%ff", "/Groups/%E2%80%AE", "/Me/x", "/Bulk/x", "/.search/x", "/Users/.search/x",
			"/Users?filter=" + long, "/Users?sortBy=%00", "/Users?cursor=" + long, "/Users?cursor=%ff", "/Users?count=" + long, "/Users?startIndex=%00", "/Users?sortOrder=" + long,
			"/Users" + where(strings.Repeat("not (", 2000)+`title pr`), "/Users" + where(`userName eq "`+strings.Repeat(`\`, 5001)+`"`),
			"/Users" + where(strings.Repeat(`title pr or `, 300)+`title pr`), "/Users" + where(`emails[`+strings.Repeat(`(`, 3000)+`value pr]`),
		} {
			r := s.send(request{method: "GET", path: path, base: "/scim/v2"})
			if r.status < 400 || r.status >= 500 || r.text("detail") == "" || len(r.raw) > 2000 {
				s.Errorf("%.60s: %d %.300s", path, r.status, r.raw)
			}
		}
		for _, path := range []string{ // odd, but they say what they mean
			"/Users?attributes=" + long, "/Users?sortBy=" + long, "/Users?excludedAttributes=%00,%ff," + long[:5000], "/Users?nonsense=" + long, "/Users?x=%ff&y=%00", "/Users?" + strings.Repeat("a=b&", 5000),
			"/Users" + where(`userName co "%"`), "/Users" + where(`userName eq "\u202e"`), "/Users" + where(`title eq "'; DROP TABLE members; --"`), "/Users" + where(`title co "\\"`),
			"/Users" + where(strings.Repeat(`title co "`+strings.Repeat("%", 20)+`" or `, 200)+`title pr`),
		} {
			if r := s.send(request{method: "GET", path: path, base: "/scim/v2"}); r.status != http.StatusOK {
				s.Errorf("%.60s: %d %.300s", path, r.status, r.raw)
			}
		}
		if got := s.must(http.StatusOK, "GET", "/Users", "").resources(); !slices.Equal(got, []string{id}) {
			s.Errorf("afterwards there are %v", got)
		}
	})
}

func TestBytesThatAreNoURLGetAnAnswerBelow500(t *testing.T) {
	each(t, func(s *service) {
		for _, target := range []string{"/scim/v2/Users\x7f", "/scim/v2/Users?filter=\xff\xfe", "/scim/v2/Us\xc3\xa9rs", "/scim/v2/Users?filter=a b", "/scim/v2/Users%", "/scim/v2/Users?%", "*", "/scim/v2/%2"} {
			conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(s.Context(), "tcp", strings.TrimPrefix(s.root, "http://"))
			if err != nil {
				s.Fatal(err)
			}
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", target, s.token); err != nil {
				s.Fatal(err)
			}
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				s.Fatalf("%q: %v", target, err)
			}
			if r.StatusCode < 400 || r.StatusCode >= 500 {
				s.Errorf("%q: %d", target, r.StatusCode)
			}
			_ = r.Body.Close()
			_ = conn.Close()
		}
	})
}

func TestMeIsNotImplementedAndSaysWhy(t *testing.T) {
	each(t, func(s *service) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			r := s.do(method, "/Me", "")
			if r.status != http.StatusNotImplemented || !strings.Contains(r.text("detail"), "not for a person") || r.text("status") != "501" {
				s.Errorf("%s /Me: %d %s", method, r.status, r.raw)
			}
		}
	})
}

func TestDiscoveryDocuments(t *testing.T) {
	each(t, func(s *service) {
		for _, path := range []string{"/Schemas", "/ResourceTypes"} {
			r := s.must(http.StatusOK, "GET", path, "")
			resources := list(r.body["Resources"])
			if r.at("schemas/0") != "urn:ietf:params:scim:api:messages:2.0:ListResponse" || r.body["totalResults"] != float64(len(resources)) || len(resources) < 2 {
				s.Errorf("%s: %s", path, r.raw)
			}
			for _, e := range resources {
				m, _ := e.(map[string]any)
				meta, _ := m["meta"].(map[string]any)
				location, _ := meta["location"].(string)
				one := s.must(http.StatusOK, "GET", strings.TrimPrefix(location, s.root+"/service/v1/scim/v2"), "")
				if one.body["id"] != m["id"] || one.at("meta/resourceType") != strings.TrimSuffix(strings.TrimPrefix(path, "/"), "s") {
					s.Errorf("%s: %s", location, one.raw)
				}
			}
			// What a list takes is ignored here, but for a filter (RFC 7644, section 4).
			if again := s.must(http.StatusOK, "GET", path+"?startIndex=2&count=1&sortBy=id&attributes=id", ""); !bytes.Equal(again.raw, r.raw) {
				s.Errorf("%s with parameters: %s", path, again.raw)
			}
		}
		for _, path := range []string{"/ResourceTypes/User", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"} {
			if r := s.do("GET", path+"?filter=id+pr", ""); r.status != http.StatusForbidden {
				s.Errorf("%s with a filter: %d", path, r.status)
			}
		}
		for _, path := range []string{"/Schemas", "/ResourceTypes", "/ServiceProviderConfig"} {
			if r := s.do("GET", path+"?FILTER=id+pr", ""); r.status != http.StatusForbidden {
				s.Errorf("%s with a filter: %d", path, r.status)
			}
			if r := s.do("POST", path, "{}"); r.status != http.StatusMethodNotAllowed || !strings.Contains(r.header.Get("Allow"), "GET") {
				s.Errorf("POST %s: %d %v", path, r.status, r.header)
			}
		}
		r := s.must(http.StatusOK, "GET", "/ServiceProviderConfig", "")
		for path, want := range map[string]any{
			"patch/supported": true, "filter/supported": true, "filter/maxResults": 1000.0, "sort/supported": true, "etag/supported": true, "changePassword/supported": false,
			"pagination/cursor": true, "pagination/index": true, "pagination/defaultPaginationMethod": "index", "pagination/defaultPageSize": 100.0,
			"pagination/maxPageSize": 1000.0, "pagination/cursorTimeout": 3600.0, "authenticationSchemes/0/type": "oauthbearertoken",
		} {
			if r.at(path) != want {
				s.Errorf("%s is %v, want %v", path, r.at(path), want)
			}
		}
	})
}
