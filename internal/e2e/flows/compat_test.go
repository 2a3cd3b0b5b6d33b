package flows

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// keyed sends a request as clients of other products do, with an API key.
func (s *site) keyed(method, path, key string, body []byte, contentType string) (int, []byte) {
	s.Helper()
	r, err := http.NewRequest(method, s.gateway+path, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("X-Api-Key", key)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	client := &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, text
}

// compat sends work as a registry and a pipeline do that know other products.
func (f *flow) compat(admin *caller) {
	made := admin.do("POST", "/api/v1/authority/api-keys", map[string]any{"name": "harbor", "subject": "harbor", "scopes": []string{"scanner:read", "scanner:scan"}, "expires": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, http.StatusCreated)
	key, _ := made["secret"].(string)
	if key == "" {
		f.Fatalf("an API key is made and not shown: %v", made)
	}
	if status, text := f.keyed("GET", "/harbor/api/v1/metadata", "stella_none_none", nil, ""); status != http.StatusUnauthorized {
		f.Errorf("an unknown API key: %d: %s", status, text)
	}
	if status, text := f.keyed("GET", "/api/v1/scans", key, nil, ""); status != http.StatusUnauthorized {
		f.Errorf("an API key on a route of the platform's own: %d: %s", status, text)
	}
	if status, text := f.keyed("GET", "/harbor/api/v1/metadata", key, nil, ""); status != http.StatusOK || !strings.Contains(string(text), "vulnerability.report") {
		f.Errorf("Harbor's metadata: %d: %s", status, text)
	}
	f.bom(key)
}

// bom uploads an SBOM as pipelines do, and waits for what is found in it.
func (f *flow) bom(key string) {
	sbom := `{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"metadata":{"component":{"type":"operating-system","name":"wolfi","version":"20230201"}},"components":[` +
		`{"type":"library","name":"bolt","version":"1.8-r0","purl":"pkg:apk/wolfi/bolt@1.8-r0?arch=x86_64&distro=wolfi-20230201"}]}`
	body, _ := json.Marshal(map[string]any{"projectName": "shop", "projectVersion": "7", "autoCreate": true, "bom": base64.StdEncoding.EncodeToString([]byte(sbom))})
	status, text := f.keyed("PUT", "/api/v1/bom", key, body, "application/json")
	var answer struct {
		Token      string `json:"token"`
		Processing bool   `json:"processing"`
	}
	if err := json.Unmarshal(text, &answer); status != http.StatusOK || err != nil || answer.Token == "" {
		f.Fatalf("PUT /api/v1/bom: %d: %s", status, text)
	}
	f.until("the SBOM is processed", time.Minute, func() bool {
		status, text := f.keyed("GET", "/api/v1/bom/token/"+answer.Token, key, nil, "")
		answer.Processing = true
		return status == http.StatusOK && json.Unmarshal(text, &answer) == nil && !answer.Processing
	})
	var project struct {
		UUID string `json:"uuid"`
	}
	status, text = f.keyed("GET", "/api/v1/project/lookup?name=shop&version=7", key, nil, "")
	if err := json.Unmarshal(text, &project); status != http.StatusOK || err != nil {
		f.Fatalf("look the project up: %d: %s", status, text)
	}
	if status, text = f.keyed("GET", "/api/v1/finding/project/"+project.UUID, key, nil, ""); status != http.StatusOK || !strings.Contains(string(text), "CVE-2024-10001") {
		f.Errorf("findings of the project: %d: %s", status, text)
	}
}
