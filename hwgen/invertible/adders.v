// How Yosys is to map adders: one cell a bit, which becomes one gate of invertible logic. Its own
// mapping has look-ahead carries, which need many gates; here depth costs nothing.

(* techmap_celltype = "$fa" *)
module _80_hwgen_fa (A, B, C, X, Y);
  parameter WIDTH = 1;
  (* force_downto *) input [WIDTH-1:0] A, B, C;
  (* force_downto *) output [WIDTH-1:0] X, Y;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin:slice
      \$__FULL_ADDER fa (.A(A[i]), .B(B[i]), .C(C[i]), .CO(X[i]), .S(Y[i]));
    end
  endgenerate
endmodule

(* techmap_celltype = "$alu" *)
module _80_hwgen_alu (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO;
  wire [Y_WIDTH-1:0] a, b;
  \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) pa (.A(A), .Y(a));
  \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) pb (.A(B), .Y(b));
  wire [Y_WIDTH-1:0] bb = BI ? ~b : b;
  wire [Y_WIDTH-1:0] c = {CO, CI};
  assign X = a ^ bb;
  genvar i;
  generate
    for (i = 0; i < Y_WIDTH; i = i + 1) begin:slice
      \$__FULL_ADDER fa (.A(a[i]), .B(bb[i]), .C(c[i]), .CO(CO[i]), .S(Y[i]));
    end
  endgenerate
endmodule

// Rows of ripple adders: a node less for most bits than a tree of carry-save adders, which has more half
// adders. Products of signed numbers stay with Yosys.
(* techmap_celltype = "$mul" *)
module _80_hwgen_mul (A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  (* force_downto *) output [Y_WIDTH-1:0] Y;

  wire _TECHMAP_FAIL_ = A_SIGNED && B_SIGNED;

  // As few rows as there can be.
  localparam SWAP = A_WIDTH < B_WIDTH;
  localparam COLUMNS = SWAP ? B_WIDTH : A_WIDTH;
  localparam ROWS = SWAP ? A_WIDTH : B_WIDTH;
  wire [COLUMNS-1:0] wide;
  wire [ROWS-1:0] narrow;
  generate
    if (SWAP) assign wide = B, narrow = A;
    else assign wide = A, narrow = B;
  endgenerate

  // What the rows so far give: the lowest bit of each is one of the product, the others go on.
  wire [(COLUMNS+1)*ROWS-1:0] sums;
  wire [COLUMNS+ROWS-1:0] product;
  assign sums[COLUMNS:0] = {1'b0, wide & {COLUMNS{narrow[0]}}};
  genvar i;
  generate
    for (i = 0; i < ROWS; i = i + 1) begin:row
      assign product[i] = sums[(COLUMNS+1)*i];
      if (i > 0) begin
        wire [COLUMNS-1:0] carry, unused;
        \$alu #(
          .A_SIGNED(0), .B_SIGNED(0), .A_WIDTH(COLUMNS), .B_WIDTH(COLUMNS), .Y_WIDTH(COLUMNS)
        ) add (
          .A(sums[(COLUMNS+1)*(i-1)+1 +: COLUMNS]),
          .B(wide & {COLUMNS{narrow[i]}}),
          .CI(1'b0), .BI(1'b0), .X(unused), .CO(carry),
          .Y(sums[(COLUMNS+1)*i +: COLUMNS])
        );
        assign sums[(COLUMNS+1)*i + COLUMNS] = carry[COLUMNS-1];
      end
    end
  endgenerate
  assign product[COLUMNS+ROWS-1:ROWS] = sums[(COLUMNS+1)*(ROWS-1)+1 +: COLUMNS];
  assign Y = product;
endmodule
