#include "textflag.h"

// func cpuid(leaf, sub uint32) (eax, ebx, ecx uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-20
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, eax+8(FP)
	MOVL BX, ebx+12(FP)
	MOVL CX, ecx+16(FP)
	RET

// The state of a is in X1 (a b e f) and X2 (c d g h), that of b in X3 and X4. X5 to X8 are
// the last sixteen words of the message, four in each.

// ROUNDS does rounds 4n to 4n+3, whose words are in w, for both states.
#define ROUNDS(n, w) \
	MOVOU (16*n)(DX), X0 \
	PADDD w, X0 \
	SHA256RNDS2 X0, X1, X2 \
	SHA256RNDS2 X0, X3, X4 \
	PSHUFD $0x0e, X0, X0 \
	SHA256RNDS2 X0, X2, X1 \
	SHA256RNDS2 X0, X4, X3

// LOAD reads four words of the block, which are big-endian.
#define LOAD(n, w) \
	MOVOU (16*n)(SI), w \
	PSHUFB X10, w

// EXPAND replaces the oldest four words, w, by the next four; x, y and z are those after w.
#define EXPAND(w, x, y, z) \
	SHA256MSG1 x, w \
	MOVO z, X9 \
	PALIGNR $4, y, X9 \
	PADDD X9, w \
	SHA256MSG2 z, w

// func blocks(a, b *[8]uint32, keys *[64]uint32, p []byte)
TEXT ·blocks(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), R8
	MOVQ keys+16(FP), DX
	MOVQ p_base+24(FP), SI
	MOVQ p_len+32(FP), CX
	SHRQ $6, CX
	JZ   done
	MOVOU swap<>(SB), X10
	MOVOU (DI), X1
	MOVOU 16(DI), X2
	MOVOU (R8), X3
	MOVOU 16(R8), X4

block:
	MOVO X1, X11
	MOVO X2, X12
	MOVO X3, X13
	MOVO X4, X14
	LOAD(0, X5)
	ROUNDS(0, X5)
	LOAD(1, X6)
	ROUNDS(1, X6)
	LOAD(2, X7)
	ROUNDS(2, X7)
	LOAD(3, X8)
	ROUNDS(3, X8)
	EXPAND(X5, X6, X7, X8)
	ROUNDS(4, X5)
	EXPAND(X6, X7, X8, X5)
	ROUNDS(5, X6)
	EXPAND(X7, X8, X5, X6)
	ROUNDS(6, X7)
	EXPAND(X8, X5, X6, X7)
	ROUNDS(7, X8)
	EXPAND(X5, X6, X7, X8)
	ROUNDS(8, X5)
	EXPAND(X6, X7, X8, X5)
	ROUNDS(9, X6)
	EXPAND(X7, X8, X5, X6)
	ROUNDS(10, X7)
	EXPAND(X8, X5, X6, X7)
	ROUNDS(11, X8)
	EXPAND(X5, X6, X7, X8)
	ROUNDS(12, X5)
	EXPAND(X6, X7, X8, X5)
	ROUNDS(13, X6)
	EXPAND(X7, X8, X5, X6)
	ROUNDS(14, X7)
	EXPAND(X8, X5, X6, X7)
	ROUNDS(15, X8)
	PADDD X11, X1
	PADDD X12, X2
	PADDD X13, X3
	PADDD X14, X4
	ADDQ $64, SI
	DECQ CX
	JNZ  block
	MOVOU X1, (DI)
	MOVOU X2, 16(DI)
	MOVOU X3, (R8)
	MOVOU X4, 16(R8)

done:
	RET

DATA swap<>+0(SB)/8, $0x0405060700010203
DATA swap<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap<>(SB), RODATA|NOPTR, $16
