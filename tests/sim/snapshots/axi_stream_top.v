// Generated for a test.
module tiny (
    input  wire        aclk,
    input  wire        aresetn,
    // input: 4 beats a frame, 3 lanes of 8 bits, s5 in each
    input  wire [23:0] s_axis_tdata,
    input  wire        s_axis_tvalid,
    output wire        s_axis_tready,
    input  wire        s_axis_tlast,  // accepted and not needed: frames are counted
    // output: 10 beats a frame, 2 lanes of 16 bits, s10 in each
    output wire [31:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    input  wire        m_axis_tready,
    output wire        m_axis_tlast
);

    wire [14:0] i_payload;
    wire [19:0] o_payload;

    // Narrow the byte-aligned input lanes, extend the output lanes to whole bytes.
    genvar lane;
    generate
        for (lane = 0; lane < 3; lane = lane + 1) begin : input_lane
            assign i_payload[lane * 5 +: 5] = s_axis_tdata[lane * 8 +: 5];
        end
        for (lane = 0; lane < 2; lane = lane + 1) begin : output_lane
            assign m_axis_tdata[lane * 16 +: 10] = o_payload[lane * 10 +: 10];
            assign m_axis_tdata[lane * 16 + 10 +: 6] = {6{o_payload[lane * 10 + 9]}};
        end
    endgenerate

    tiny_core core (
        .clk(aclk),
        .rst(~aresetn),
        .i_payload(i_payload),
        .i_valid(s_axis_tvalid),
        .i_ready(s_axis_tready),
        .o_payload(o_payload),
        .o_valid(m_axis_tvalid),
        .o_ready(m_axis_tready)
    );

    // Count the output beats of a frame: tlast marks the last.
    reg [3:0] output_beat = 4'd0;

    assign m_axis_tlast = output_beat == 4'd9;

    always @(posedge aclk) begin
        if (~aresetn)
            output_beat <= 4'd0;
        else if (m_axis_tvalid & m_axis_tready)
            output_beat <= m_axis_tlast ? 4'd0 : output_beat + 4'd1;
    end

endmodule
