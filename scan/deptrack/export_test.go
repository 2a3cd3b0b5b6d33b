package deptrack

import "net/http"

// Routes lists method and path of every route.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// ReadUpload reads an upload, and says of which project and how long the SBOM is.
func ReadUpload(r *http.Request) (project, name string, content []byte, err error) {
	s, err := readUpload(r)
	if err != nil {
		return "", "", nil, err
	}
	return s.Project, s.Name, s.content, nil
}
