package spdx

import (
	"io"

	"github.com/stella-ops/stella/scan/sbom"
)

func encode3(out io.Writer, d *sbom.Document, opt *EncodeOptions) ([]sbom.Loss, error) {
	return nil, nil
}
