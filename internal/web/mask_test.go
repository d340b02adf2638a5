package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/web"
)

// pasted is of the form of a token; a key begins with rak_.
const pasted = "rst_agpkx4teebz7dkqw5ovj3ngbxq2h7fjm3k5yawzq6cdu2xnlv4"

func TestNoLogLineHasATokenThatStandsInThePath(t *testing.T) {
	key := strings.Replace(pasted, "rst_", "rak_", 1)
	for path, want := range map[string]string{
		"/scim/v2/Users/" + pasted:                               "/scim/v2/Users/rst_***",
		"/" + pasted + "/Users":                                  "/rst_***/Users",
		"/api/v1/orgs/x/keys/" + key:                             "/api/v1/orgs/x/keys/rak_***",
		"/scim/v2/Bearer%20" + pasted:                            "/scim/v2/Bearer%20rst_***",
		"/scim/v2/%22" + pasted + "%22":                          "/scim/v2/%22rst_***%22",
		"/scim/v2/" + pasted + "/" + key:                         "/scim/v2/rst_***/rak_***",
		"/scim/v2/%72st%5F" + strings.TrimPrefix(pasted, "rst_"): "/scim/v2/rst_***",
		"/a%20b/rst%5f" + strings.TrimPrefix(pasted, "rst_"):     "/a%20b/rst_***",
		"/scim/v2/Users/first_name":                              "/scim/v2/Users/first_name",
		"/scim/v2/Users/a%20b%2Fc":                               "/scim/v2/Users/a%20b%2Fc",
		"/scim/v2/Users/rst_short":                               "/scim/v2/Users/rst_short",
	} {
		for name, handler := range map[string]http.HandlerFunc{
			"answered": func(http.ResponseWriter, *http.Request) {},
			"panicked": func(http.ResponseWriter, *http.Request) { panic("boom") },
		} {
			_, lines := serve(handler, httptest.NewRequest(http.MethodGet, path, nil))
			if len(lines) == 0 {
				t.Errorf("%s, %s: no line", path, name)
			}
			for _, l := range lines {
				if l["path"] != want {
					t.Errorf("%s, %s: logged as %q, want %q", path, name, l["path"], want)
				}
			}
		}
	}
}

func TestMeasureTellsWhatWasAnsweredAlsoWhereItWasCutOff(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    int
	}{
		"nothing said": {func(http.ResponseWriter, *http.Request) {}, http.StatusOK},
		"a status":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, http.StatusTeapot},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			panic(http.ErrAbortHandler)
		}, http.StatusCreated},
	} {
		told := []string{}
		measured := web.Measure(func(r *http.Request, status int, took time.Duration) {
			told = append(told, fmt.Sprint(r.Method, " ", status, " ", took >= 0))
		}, tc.handler)
		_, _ = serve(measured.ServeHTTP, httptest.NewRequest(http.MethodPut, "/", nil))
		if want := fmt.Sprint("PUT ", tc.want, " true"); len(told) != 1 || told[0] != want {
			t.Errorf("%s: told %q, want %q once", name, told, want)
		}
	}
}
