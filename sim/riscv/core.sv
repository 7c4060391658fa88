// The core that cores.cpp instantiates: CV32E40P (macro HWGEN_CV32E40P) with CORE-V's
// instructions, or else CV32E41P with XpulpV2's; no FPU, no interrupts, no debugger, no counters
// but mcycle and minstret.
//
// Every fetch is granted, and its word comes in the next cycle. Every output is a register of the
// core or of this file, or hangs on registers only: the harness reads them after the clock's edge
// and answers before the next one.

module hwgen_core (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [31:0] boot_addr_i,
    input  logic [31:0] hart_id_i,

    // Instructions: the word at fetch_addr_o, in the same cycle
    output logic [31:0] fetch_addr_o,
    input  logic [31:0] fetch_data_i,

    // Data, OBI
    output logic        data_req_o,
    input  logic        data_gnt_i,
    input  logic        data_rvalid_i,
    output logic        data_we_o,
    output logic [ 3:0] data_be_o,
    output logic [31:0] data_addr_o,
    output logic [31:0] data_wdata_o,
    input  logic [31:0] data_rdata_i,
    output logic        split_o,  // the first of the two accesses of a misaligned one

    // What the core does, for the harness to count and to report
    output logic        issued_o,    // an instruction has entered EX: the event of minstret
    output logic [31:0] pc_ex_o,     // the last that did
    output logic        trap_o,      // an exception was taken ...
    output logic [ 5:0] cause_o,     // ... for this cause, as in mcause
    output logic [31:0] mepc_o,      // ... at this instruction
    output logic        sleep_o      // after wfi
);

  logic        instr_req, instr_rvalid;
  logic [31:0] instr_addr;

  always_ff @(posedge clk_i, negedge rst_ni) begin
    if (!rst_ni) begin
      instr_rvalid <= 1'b0;
      fetch_addr_o <= 32'd0;
      pc_ex_o      <= 32'd0;
      trap_o       <= 1'b0;
      cause_o      <= 6'd0;
    end else begin
      instr_rvalid <= instr_req;
      fetch_addr_o <= instr_addr;
      if (core_i.id_stage_i.minstret) pc_ex_o <= core_i.pc_id;
      trap_o  <= core_i.csr_save_cause;
      cause_o <= core_i.csr_cause;
    end
  end

  assign split_o  = core_i.data_misaligned;
  assign issued_o = core_i.mhpmevent_minstret;
  assign mepc_o   = core_i.cs_registers_i.mepc_q;

`ifdef HWGEN_CV32E40P
  cv32e40p_core #(
      .COREV_PULP      (1),
      .NUM_MHPMCOUNTERS(0)
  ) core_i (
      .apu_busy_o(),
`else
  cv32e41p_core #(
      .PULP_XPULP      (1),
      .NUM_MHPMCOUNTERS(0)
  ) core_i (
`endif
      .clk_i          (clk_i),
      .rst_ni         (rst_ni),
      .pulp_clock_en_i(1'b0),
      .scan_cg_en_i   (1'b0),

      .boot_addr_i        (boot_addr_i),
      .mtvec_addr_i       (32'd0),
      .dm_halt_addr_i     (32'd0),
      .hart_id_i          (hart_id_i),
      .dm_exception_addr_i(32'd0),

      .instr_req_o   (instr_req),
      .instr_gnt_i   (1'b1),
      .instr_rvalid_i(instr_rvalid),
      .instr_addr_o  (instr_addr),
      .instr_rdata_i (fetch_data_i),

      .data_req_o   (data_req_o),
      .data_gnt_i   (data_gnt_i),
      .data_rvalid_i(data_rvalid_i),
      .data_we_o    (data_we_o),
      .data_be_o    (data_be_o),
      .data_addr_o  (data_addr_o),
      .data_wdata_o (data_wdata_o),
      .data_rdata_i (data_rdata_i),

      .apu_req_o     (),
      .apu_gnt_i     (1'b0),
      .apu_operands_o(),
      .apu_op_o      (),
      .apu_flags_o   (),
      .apu_rvalid_i  (1'b0),
      .apu_result_i  (32'd0),
      .apu_flags_i   ('0),

      .irq_i    (32'd0),
      .irq_ack_o(),
      .irq_id_o (),

      .debug_req_i      (1'b0),
      .debug_havereset_o(),
      .debug_running_o  (),
      .debug_halted_o   (),

      .fetch_enable_i(1'b1),
      .core_sleep_o  (sleep_o)
  );

endmodule

// The core's clock gate, which each technology brings. It only ever stops the clock after wfi,
// which ends a run; a plain wire leaves one clock, and the model runs faster.
`ifdef HWGEN_CV32E40P
module cv32e40p_clock_gate (
`else
module cv32e41p_clock_gate (
`endif
    input  logic clk_i,
    input  logic en_i,
    input  logic scan_cg_en_i,
    output logic clk_o
);

  assign clk_o = clk_i;

endmodule
