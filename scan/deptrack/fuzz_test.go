package deptrack_test

import (
	"bytes"
	"encoding/base64"
	"net/http/httptest"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/deptrack"
)

// FuzzUpload reads bodies of both forms. What is taken has an SBOM within its bound.
func FuzzUpload(f *testing.F) {
	contentType, body := form(f, "projectName", "a", "projectVersion", "1", "autoCreate", "true", "bom", bom)
	f.Add(contentType, []byte(body))
	f.Add("application/json", []byte(`{"projectName":"a","autoCreate":true,"projectTags":[{"name":"x"}],"bom":"`+base64.StdEncoding.EncodeToString([]byte(bom))+`"}`))
	f.Add("application/json", []byte(`{"bom":"e30=\r\n","bom":1}`))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=bom\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=00\r\n--x--"))
	f.Add("multipart/form-data; boundary=\"", []byte("--\"\r\n\r\n"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := httptest.NewRequest("POST", "/api/v1/bom", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		_, _, content, err := deptrack.ReadUpload(r)
		if err == nil && (len(content) == 0 || len(content) > scan.MaxUpload) {
			t.Fatalf("%d bytes", len(content))
		}
	})
}

// FuzzHandler sends any body and path to the API, over a real store.
func FuzzHandler(f *testing.F) {
	contentType, body := form(f, "projectName", "a", "autoCreate", "true", "bom", bom)
	f.Add("POST", "/api/v1/bom", contentType, []byte(body))
	f.Add("GET", "/api/v1/project?pageNumber=999999&pageSize=1000", "", []byte(nil))
	f.Add("GET", "/api/v1/finding/project/%00", "", []byte(nil))
	s := newSite(f)
	f.Fuzz(func(t *testing.T, method, path, contentType string, body []byte) {
		r, err := newRequest(method, path, body)
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("X-Api-Key", "acme/ci")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		switch w.Code {
		case 200, 400, 404, 405, 409, 413, 415, 422:
		default:
			t.Fatalf("%s %s answers %d %s", method, path, w.Code, w.Body)
		}
	})
}
